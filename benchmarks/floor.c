/* floor: the least that a one-thread WebSocket relay can cost on this kernel.
 *
 *   floor PORT
 *
 * It answers the handshake that load.c sends, and writes every text it receives to every
 * connection with one write(2) each; on a path that ends in /echo/ to the sender only.
 * Nothing else: no checks, no queues. A member that does not read loses what does not fit.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BUFFER = 65536, MEMBERS = 60000, EVENTS = 256, TEXT = 1 };

typedef struct {
    int fd;
    bool open, echo;
    size_t length;
    uint8_t *buffer; /* only while a frame is incomplete */
} member;

static member *room[MEMBERS];
static int present;
static int poller;

static const char ACCEPT[] = /* the key that load.c sends is always RFC 6455's example */
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/* ---- Coming and going ---------------------------------------------------------------- */

static void watch(int fd, member *who)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) || listen(fd, 4096)) {
        perror("floor");
        exit(1);
    }
    return fd;
}

static void admit(int listener)
{
    int fd = accept(listener, NULL, NULL), one = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    member *who = calloc(1, sizeof *who);
    who->fd = fd;
    watch(fd, who);
}

static void dismiss(member *who)
{
    for (int i = 0; i < present; i++)
        if (room[i] == who) room[i] = room[--present];
    close(who->fd);
    free(who->buffer);
    free(who);
}

static size_t greet(member *who, const uint8_t *bytes, size_t length)
{
    const uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end || write(who->fd, ACCEPT, sizeof ACCEPT - 1) < 0) return 0;
    who->open = true;
    who->echo = memmem(bytes, length, "/echo/ HTTP", 11);
    if (!who->echo && present < MEMBERS) room[present++] = who;
    return end + 4 - bytes;
}

/* ---- Messages ------------------------------------------------------------------------ */

static void send_to(const member *who, const uint8_t *frame, size_t length)
{
    if (write(who->fd, frame, length) < 0) return; /* full or gone: the floor does not care */
}

static void relay(const member *from, const uint8_t *payload, size_t length)
{
    static uint8_t frame[4 + BUFFER] = {0x80 | TEXT};
    size_t head = 2;
    frame[1] = length < 126 ? length : 126;
    if (length >= 126) {
        frame[head++] = length >> 8;
        frame[head++] = length;
    }
    memcpy(frame + head, payload, length);
    if (from->echo) return send_to(from, frame, head + length);
    for (int i = 0; i < present; i++) send_to(room[i], frame, head + length);
}

/* Relays all whole frames; returns how many bytes they were. */
static size_t take_frames(member *who, uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (length - taken >= 8) { /* the shortest masked frame that load.c sends is longer */
        uint8_t *p = bytes + taken;
        size_t payload = p[1] & 127, head = 2;
        if (payload == 126) payload = (size_t)p[2] << 8 | p[3], head = 4;
        if (length - taken < head + 4 + payload) break;
        uint8_t *mask = p + head, *data = mask + 4;
        for (size_t i = 0; i < payload; i++) data[i] ^= mask[i & 3];
        if ((p[0] & 15) == TEXT) relay(who, data, payload);
        taken += head + 4 + payload;
    }
    return taken;
}

static void keep(member *who, const uint8_t *bytes, size_t length)
{
    if (length) {
        who->buffer = realloc(who->buffer, length);
        memcpy(who->buffer, bytes, length);
    }
    who->length = length;
}

static void receive(member *who)
{
    static uint8_t scratch[2 * BUFFER];
    size_t length = who->length, taken = 0;
    memcpy(scratch, who->buffer, length);
    ssize_t count = read(who->fd, scratch + length, sizeof scratch - length);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return dismiss(who);
    length += (size_t)count;
    if (!who->open) taken = greet(who, scratch, length);
    if (who->open) taken += take_frames(who, scratch + taken, length - taken);
    keep(who, scratch + taken, length - taken);
}

int main(int count, char **words)
{
    struct epoll_event events[EVENTS];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    poller = epoll_create1(0);
    int listener = listen_on(count > 1 ? atoi(words[1]) : 8000);
    watch(listener, NULL);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            member *who = events[i].data.ptr;
            if (who) receive(who);
            else admit(listener);
        }
    }
}
