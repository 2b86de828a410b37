"""Looks a project over, and says in words what is wrong and how to mend it.

`python app.py doctor` asks this machine, the settings and the running server too. Where a mistake
keeps Django from starting at all, `python -m realtime.doctor FOLDER` still reads the files.
"""
