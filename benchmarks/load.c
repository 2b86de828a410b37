/* load: one thread that plays many WebSocket members and measures the server behind them.
 *
 *   load --port 8000 --path /ws/ --mode fanout --members 100 --window 8 --seconds 2 --pid 4242
 *
 * Modes
 *   fanout  one publisher sends a wave of `window` messages, waits until every member has
 *           all of them, and sends the next wave
 *   echo    every member keeps one message in flight
 *   idle    members connect and stay
 *
 * Any frame that holds the mark "@T" and 19 digits (CLOCK_MONOTONIC, ns) is one delivery,
 * whatever protocol surrounds it: so every server that relays a text is measured alike.
 * %T in --text becomes that mark, padded to --size bytes.
 *
 * Prints one JSON object. What is not here: a WebSocket library. The handshake is not
 * verified, messages are not reassembled or inflated: the server under test is trusted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MARK_DIGITS = 19, MARK_LENGTH = 2 + MARK_DIGITS };
enum { HANDSHAKES_IN_FLIGHT = 64, EVENTS = 512, SCRATCH = 1 << 20 };
enum { TEXT = 1, BINARY = 2, PING = 9, PONG = 10 };

/* ---- Options ------------------------------------------------------------------------- */

static struct {
    int port, members, window, size, pid, core;
    double seconds, warmup, settle, stall, slow;
    const char *mode, *path, *publish_path, *text, *hello, *ready, *ping, *pong;
    int deflate;
} options = {
    .port = 8000, .members = 100, .window = 1, .size = 64, .core = -1,
    .seconds = 2, .warmup = 0.3, .settle = 0.3, .stall = 5,
    .mode = "fanout", .path = "/", .text = "%T",
};

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void parse_options(int count, char **words)
{
    enum { PORT = 256, MEMBERS, WINDOW, SIZE, PID, CORE, SECONDS, WARMUP, SETTLE, STALL, SLOW,
           MODE, PATH, PUBLISH_PATH, SAY, HELLO, READY, PING_TEXT, PONG_TEXT };
    static const struct option known[] = {
        {"port", 1, 0, PORT},       {"members", 1, 0, MEMBERS}, {"window", 1, 0, WINDOW},
        {"size", 1, 0, SIZE},       {"pid", 1, 0, PID},         {"core", 1, 0, CORE},
        {"seconds", 1, 0, SECONDS}, {"warmup", 1, 0, WARMUP},   {"settle", 1, 0, SETTLE},
        {"stall", 1, 0, STALL},     {"slow", 1, 0, SLOW},       {"mode", 1, 0, MODE},
        {"path", 1, 0, PATH},       {"publish-path", 1, 0, PUBLISH_PATH},
        {"text", 1, 0, SAY},        {"hello", 1, 0, HELLO},     {"ready", 1, 0, READY},
        {"ping", 1, 0, PING_TEXT},  {"pong", 1, 0, PONG_TEXT},
        {"deflate", 0, &options.deflate, 1},                    {0, 0, 0, 0},
    };
    for (int option; (option = getopt_long(count, words, "", known, NULL)) != -1;) {
        switch (option) {
        case 0: break;
        case PORT: options.port = atoi(optarg); break;
        case MEMBERS: options.members = atoi(optarg); break;
        case WINDOW: options.window = atoi(optarg); break;
        case SIZE: options.size = atoi(optarg); break;
        case PID: options.pid = atoi(optarg); break;
        case CORE: options.core = atoi(optarg); break;
        case SECONDS: options.seconds = atof(optarg); break;
        case WARMUP: options.warmup = atof(optarg); break;
        case SETTLE: options.settle = atof(optarg); break;
        case STALL: options.stall = atof(optarg); break;
        case SLOW: options.slow = atof(optarg); break;
        case MODE: options.mode = optarg; break;
        case PATH: options.path = optarg; break;
        case PUBLISH_PATH: options.publish_path = optarg; break;
        case SAY: options.text = optarg; break;
        case HELLO: options.hello = optarg; break;
        case READY: options.ready = optarg; break;
        case PING_TEXT: options.ping = optarg; break;
        case PONG_TEXT: options.pong = optarg; break;
        default: exit(2);
        }
    }
}

/* ---- Clocks and gauges --------------------------------------------------------------- */

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

/* User and system time of every thread of the server, in seconds. The process's CPU clock
 * is exact to the nanosecond; the ticks in /proc/PID/stat are 10 ms. */
static double server_cpu(void)
{
    clockid_t clock;
    if (!options.pid || clock_getcpuclockid(options.pid, &clock)) return 0;
    return nanoseconds(clock) / 1e9;
}

static double own_cpu(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9; }

/* Resident memory of the server in KiB. */
static long server_memory(void)
{
    char name[64], line[256];
    long kilobytes = 0;
    snprintf(name, sizeof name, "/proc/%d/status", options.pid);
    FILE *file = fopen(name, "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmRSS: %ld", &kilobytes) != 1) {}
    fclose(file);
    return kilobytes;
}

/* What the server's core has done since boot, in seconds (ticks of 10 ms): all its work, other
 * programs' and the hypervisor's thefts included; and the part in software interrupts, network
 * work that the kernel may do on nobody's account. */
typedef struct { double busy, softirq; } core_time;

static core_time core_now(void)
{
    char line[512], name[16];
    long user = 0, nice = 0, system = 0, irq = 0, softirq = 0, steal = 0;
    double tick = 1.0 / sysconf(_SC_CLK_TCK);
    snprintf(name, sizeof name, "cpu%d ", options.core);
    FILE *file = fopen("/proc/stat", "r");
    if (!file) return (core_time){0};
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)))
            sscanf(line, "%*s %ld %ld %ld %*d %*d %ld %ld %ld",
                   &user, &nice, &system, &irq, &softirq, &steal);
    fclose(file);
    return (core_time){(user + nice + system + irq + softirq + steal) * tick, softirq * tick};
}

/* ---- Latency: a histogram of 32 steps to each power of two (3 %) ---------------------- */

static uint64_t histogram[64 * 32], recorded;

static void record(uint64_t latency)
{
    int power = latency < 32 ? 5 : 63 - __builtin_clzll(latency);
    histogram[(power - 5) * 32 + (latency >> (power - 5)) % 32]++;
    recorded++;
}

/* The latency in ms that a share of all deliveries did not exceed; -1 if there is none. */
static double percentile(double share)
{
    uint64_t wanted = (uint64_t)(share * recorded), seen = 0;
    for (int i = 0; i < 64 * 32 && recorded; i++)
        if ((seen += histogram[i]) > wanted || seen == recorded) {
            int power = i / 32 + 5;
            uint64_t lowest = i < 32 ? (uint64_t)i : (uint64_t)(32 + i % 32) << (power - 5);
            return lowest / 1e6;
        }
    return -1;
}

/* ---- Members ------------------------------------------------------------------------- */

typedef struct {
    int fd;
    bool open, closed, ready, slow;
    long received;   /* deliveries in the measured time */
    uint8_t *rest;   /* the beginning of a frame whose end has not come yet */
    size_t rest_length;
} member;

static member *everyone;
static int total;               /* members and, if it has a path of its own, the publisher */
static int poller;
static int opened, readied, closed;
static bool echoing;
static uint64_t since;          /* only what was sent after this moment is counted */
static long delivered, frames;
static uint64_t read_at;        /* when the bytes in hand arrived */

static void write_all(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;
    while (length) {
        ssize_t written = write(fd, next, length);
        if (written > 0) {
            next += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
        } else if (errno != EINTR) {
            return; /* the peer has gone: reading will say so */
        }
    }
}

static void send_frame(int fd, int opcode, const char *payload, size_t length)
{
    static uint8_t frame[SCRATCH];
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t head = 2;
    if (length + 8 > sizeof frame) fail("a message of %zu bytes is too long", length);
    frame[0] = 0x80 | opcode;
    if (length < 126) {
        frame[1] = 0x80 | length;
    } else if (length < 65536) {
        frame[1] = 0x80 | 126;
        frame[head++] = length >> 8;
        frame[head++] = length;
    } else {
        fail("messages of 64 KiB or more are not supported");
    }
    memcpy(frame + head, mask, sizeof mask);
    head += sizeof mask;
    for (size_t i = 0; i < length; i++) frame[head + i] = payload[i] ^ mask[i & 3];
    write_all(fd, frame, head + length);
}

static void send_text(int fd, const char *text) { send_frame(fd, TEXT, text, strlen(text)); }

/* --text with %T replaced by the mark and its padding. */
static void publish(const member *from)
{
    static char text[SCRATCH];
    const char *place = strstr(options.text, "%T");
    int before = (int)(place - options.text);
    int padding = options.size > MARK_LENGTH ? options.size - MARK_LENGTH : 0;
    int length = snprintf(text, sizeof text, "%.*s@T%019llu", before, options.text,
                          (unsigned long long)now());
    memset(text + length, 'x', padding);
    snprintf(text + length + padding, sizeof text - length - padding, "%s", place + 2);
    send_text(from->fd, text);
}

static void say_hello(member *who)
{
    who->open = true;
    opened++;
    if (options.hello) send_text(who->fd, options.hello);
    if (!options.ready) who->ready = true, readied++;
}

static void give_up(member *who)
{
    if (who->closed) return;
    who->closed = true;
    closed++;
    close(who->fd); /* that also takes it from the poller */
}

/* ---- From the server ----------------------------------------------------------------- */

static void count(member *who, uint64_t sent)
{
    if (echoing) publish(who);
    if (sent < since) return;
    delivered++;
    who->received++;
    record(read_at > sent ? read_at - sent : 0);
}

static bool starts_with(const uint8_t *payload, size_t length, const char *prefix)
{
    size_t wanted = strlen(prefix);
    return length >= wanted && !memcmp(payload, prefix, wanted);
}

static void take_text(member *who, const uint8_t *payload, size_t length)
{
    const uint8_t *next = payload, *end = payload + length;
    if (!who->ready && memmem(payload, length, options.ready, strlen(options.ready)))
        who->ready = true, readied++;
    if (options.ping && starts_with(payload, length, options.ping))
        send_text(who->fd, options.pong);
    while ((next = memmem(next, end - next, "@T", 2)) && end - next >= MARK_LENGTH) {
        uint64_t sent = 0;
        for (int i = 2; i < MARK_LENGTH; i++) sent = sent * 10 + (next[i] - '0');
        count(who, sent);
        next += MARK_LENGTH;
    }
}

static void take_frame(member *who, int first, const uint8_t *payload, size_t length)
{
    int opcode = first & 15;
    bool deflated = first & 0x40;
    if (opcode == PING) send_frame(who->fd, PONG, (const char *)payload, length);
    if (opcode != TEXT && opcode != BINARY) return;
    frames++;
    if (!deflated)
        take_text(who, payload, length);
    else if (since) /* it cannot be read here, so it counts, but has no latency */
        delivered++, who->received++;
    else if (!who->ready)
        who->ready = true, readied++;
}

/* Takes all whole frames; returns how many bytes they were. */
static size_t take_frames(member *who, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (length - taken >= 2) {
        const uint8_t *p = bytes + taken;
        size_t head = 2, payload = p[1] & 127, left = length - taken;
        if (payload == 126) {
            if (left < (head = 4)) break;
            payload = (size_t)p[2] << 8 | p[3];
        } else if (payload == 127) {
            if (left < (head = 10)) break;
            payload = 0;
            for (int i = 2; i < 10; i++) payload = payload << 8 | p[i];
        }
        if (left < head + payload) break;
        take_frame(who, p[0], p + head, payload);
        taken += head + payload;
    }
    return taken;
}

/* Takes the answer to the handshake, once it is whole; returns its length. */
static size_t take_handshake(member *who, const uint8_t *bytes, size_t length)
{
    const uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (!starts_with(bytes, length, "HTTP/1.1 101"))
        fail("no 101 but: %.*s", (int)strcspn((const char *)bytes, "\r\n"), bytes);
    say_hello(who);
    return end + 4 - bytes;
}

static void keep(member *who, const uint8_t *bytes, size_t length)
{
    if (length) {
        who->rest = realloc(who->rest, length);
        memcpy(who->rest, bytes, length);
    }
    who->rest_length = length;
}

static void receive(member *who)
{
    static uint8_t scratch[SCRATCH];
    for (bool more = true; more && !who->closed;) {
        size_t length = who->rest_length, taken = 0;
        memcpy(scratch, who->rest, length);
        ssize_t count = read(who->fd, scratch + length, sizeof scratch - length);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) return give_up(who);
        more = (size_t)count == sizeof scratch - length;
        length += (size_t)count;
        read_at = now();
        if (!who->open) taken = take_handshake(who, scratch, length);
        if (who->open) taken += take_frames(who, scratch + taken, length - taken);
        keep(who, scratch + taken, length - taken);
    }
}

static void serve(int milliseconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poller, events, EVENTS, milliseconds);
    for (int i = 0; i < count; i++) receive(events[i].data.ptr);
}

static void serve_for(double seconds)
{
    for (uint64_t end = now() + (uint64_t)(seconds * 1e9); now() < end;) serve(5);
}

/* ---- Connecting ---------------------------------------------------------------------- */

static void allow_many_files(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int dial(bool slow)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, small = 4096;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    struct linger reset = {.l_onoff = 1}; /* an end by RST leaves no port in TIME_WAIT */
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (slow) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(fd, (struct sockaddr *)&server, sizeof server))
        fail("connection %d: %s", opened, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void request(int fd, const char *path)
{
    char text[2048];
    int length = snprintf(text, sizeof text,
        "GET %s HTTP/1.1\r\n"
        "Host: localhost:%d\r\n"
        "Origin: http://localhost:%d\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "%s\r\n",
        path, options.port, options.port,
        options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    write_all(fd, text, (size_t)length);
}

static void connect_member(int number)
{
    member *who = &everyone[number];
    bool publishes = number >= options.members;
    who->slow = number && !publishes && number >= options.members * (1 - options.slow);
    who->ready = publishes;
    readied += publishes;
    who->fd = dial(who->slow);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    epoll_ctl(poller, EPOLL_CTL_ADD, who->fd, &event);
    request(who->fd, publishes ? options.publish_path : options.path);
}

/* Connects members first … last-1, and waits until all have been welcomed. */
static void connect_members(int first, int last)
{
    uint64_t deadline = now() + 120000000000u;
    for (int i = first; i < last; i++) {
        connect_member(i);
        while (i - opened >= HANDSHAKES_IN_FLIGHT && now() < deadline) serve(100);
        if (i % 16 == 15) serve(0);
    }
    while ((opened < last || readied < last) && !closed && now() < deadline) serve(100);
    if (closed || opened < last || readied < last)
        fail("of %d connections %d opened, %d were welcomed, %d closed",
             last, opened, readied, closed);
}

/* From now on the slow ones read nothing: a phone that has left the room. */
static void stop_reading(void)
{
    for (int i = 0; i < total; i++)
        if (everyone[i].slow) epoll_ctl(poller, EPOLL_CTL_DEL, everyone[i].fd, NULL);
}

/* ---- The three workloads ------------------------------------------------------------- */

static long broadcasts, missing;
static bool stalled;

static int readers(void)
{
    int count = 0;
    for (int i = 0; i < options.members; i++) count += !everyone[i].slow && !everyone[i].closed;
    return count;
}

/* Waits for so many deliveries, as long as some arrive; false if they stop coming. */
static bool wait_for(long wanted)
{
    long before = delivered;
    uint64_t patience = (uint64_t)(options.stall * 1e9), deadline = now() + patience;
    while (delivered < wanted && now() < deadline) {
        serve(5);
        if (delivered != before) before = delivered, deadline = now() + patience;
    }
    return delivered >= wanted;
}

static void fan_out(double seconds)
{
    const member *publisher = &everyone[total > options.members ? options.members : 0];
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    while (now() < end && !stalled) {
        long wanted = delivered + (long)options.window * readers();
        for (int i = 0; i < options.window; i++) publish(publisher);
        broadcasts += options.window;
        stalled = !wait_for(wanted);
        missing += stalled ? wanted - delivered : 0;
    }
}

static void work(double seconds)
{
    if (!strcmp(options.mode, "fanout")) fan_out(seconds);
    else serve_for(seconds);
}

static void start_echoes(void)
{
    echoing = true;
    for (int i = 0; i < options.members; i++) publish(&everyone[i]);
}

static void forget(void)
{
    memset(histogram, 0, sizeof histogram);
    recorded = 0;
    delivered = broadcasts = 0;
    for (int i = 0; i < total; i++) everyone[i].received = 0;
    since = now();
}

static long least_received(void)
{
    long least = delivered;
    for (int i = 0; i < options.members; i++)
        if (!everyone[i].slow && everyone[i].received < least) least = everyone[i].received;
    return least;
}

/* ---- The run ------------------------------------------------------------------------- */

static void number(const char *name, double value, int decimals)
{
    static const char *separator = "{";
    printf("%s\"%s\": %.*f", separator, name, decimals, value);
    separator = ", ";
}

int main(int count, char **words)
{
    parse_options(count, words);
    if (!strstr(options.text, "%T")) fail("--text needs a %%T");
    allow_many_files();
    total = options.members + (options.publish_path != NULL);
    everyone = calloc(total, sizeof *everyone);
    poller = epoll_create1(0);

    /* The first tenth pays for what the server loads once; the others show the slope. */
    int first = options.members / 10;
    uint64_t begin = now();
    double cpu = server_cpu();
    connect_members(0, first);
    long memory_first = server_memory();
    connect_members(first, total);
    double connect_seconds = (now() - begin) / 1e9, connect_cpu = server_cpu() - cpu;
    long join_frames = frames;
    serve_for(options.settle);
    long memory_open = server_memory();

    since = now();
    stop_reading();
    if (!strcmp(options.mode, "echo")) start_echoes();
    work(options.warmup);
    forget();

    core_time before = core_now();
    double own = own_cpu();
    cpu = server_cpu();
    begin = now();
    work(options.seconds);
    double seconds = (now() - begin) / 1e9;
    cpu = server_cpu() - cpu;
    own = own_cpu() - own;
    core_time after = core_now();

    number("members", options.members, 0);
    number("closed", closed, 0);
    number("connect_s", connect_seconds, 4);
    number("connect_cpu_s", connect_cpu, 4);
    number("join_frames", join_frames, 0);
    number("seconds", seconds, 4);
    number("broadcasts", broadcasts, 0);
    number("delivered", delivered, 0);
    number("missing", missing, 0);
    number("stalled", stalled, 0);
    number("least_received", least_received(), 0);
    number("per_s", delivered / seconds, 1);
    number("p50_ms", percentile(0.5), 4);
    number("p99_ms", percentile(0.99), 4);
    number("server_cpu_s", cpu, 6);
    number("us_per_delivery", delivered ? cpu * 1e6 / delivered : -1, 4);
    number("softirq_s", after.softirq - before.softirq, 2);
    number("others_share", (after.busy - before.busy - cpu) / seconds, 4);
    number("load_cpu_share", own / seconds, 4);
    number("kb_open", memory_open, 0);
    number("kb_end", server_memory(), 0);
    number("kb_per_connection", (memory_open - memory_first) / (double)(total - first), 3);
    puts("}");
    return 0;
}
