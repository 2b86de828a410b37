"""Notifications to one logged-in user: a view publishes, all their devices show it.

The consumer is NotificationConsumer, at /ws/notifications/: it lets a user into their own room.
"""

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from realtime import publish, user_room


def page(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "examples/notifications.html")
    if not request.user.is_staff:
        raise PermissionDenied("Only staff may notify others.")
    name, text = request.POST.get("to", ""), request.POST.get("text", "")[:500]
    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        context = {"problem": f"There is no user {name!r}.", "text": text}
        return render(request, "examples/notifications.html", context, status=404)
    # on_commit: in a view that also saves something, nobody hears of what is then rolled back.
    publish(user_room(user), {"text": text}, on_commit=True)
    return redirect("example-notifications")
