// Many open feeds in one epoll thread, which counts what they are told.
//
// feeds PORT PROTOCOL PATH CLIENTS SESSIONS PATIENCE_SECONDS AT_ONCE [HEADER]
//
// PROTOCOL: `greeted` (WebSocket, ready at the first text), `plain` (WebSocket, ready once the handshake is answered),
// `socketio` (ready once it has joined the room s<session>). `{}` in PATH stands for the session's number.
// It says how the handshakes went, then takes lines "EXPECTED QUIET_MS EVERY", each of which it confirms by an empty
// object: counts messages until there were EXPECTED or none came for QUIET_MS, reads the moment behind MARK of each
// EVERYth, and says what it saw.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARK "\"at_us\":"
#define BUFFER_BYTES (1 << 20)
#define LONGEST_FRAME_BYTES (1 << 19)
#define AGES_LIMIT (1 << 22)
// Each source address has its own 28,000 ports; those of the last run wait for a minute until they are free.
#define SOURCES 32

enum state { CONNECTING, SHAKING, GREETING, JOINING, READY, GONE };
enum protocol { GREETED, PLAIN, SOCKETIO };
enum opcode { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

struct client {
    int fd, session;
    enum state state;
    unsigned char *rest;
    size_t rest_bytes;
};

static struct client *clients;
static int epoll, port, sessions, ready, gone, began;
static enum protocol protocol;
static const char *path, *header;
static unsigned char buffer[BUFFER_BYTES];
static uint32_t *ages;
static long count, bytes, ages_count, every = 1;
static uint64_t first_ns, last_ns;
static double cpu_at_first;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void drop(struct client *client) {
    if (client->state == GONE) return;
    if (client->state == READY) ready--;
    client->state = GONE;
    gone++;
    close(client->fd);
}

static void say(struct client *client, const void *data, size_t length) {
    if (send(client->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) drop(client);
}

static void say_frame(struct client *client, enum opcode opcode, const void *data, size_t length) {
    unsigned char frame[6 + 125] = {0x80 | opcode, 0x80 | length};
    if (length > 125) length = 125;
    memcpy(frame + 6, data, length);  // A mask of zeros.
    say(client, frame, 6 + length);
}

static void be_ready(struct client *client) {
    client->state = READY;
    ready++;
}

static void connect_one(struct client *client, int number) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002 + number % SOURCES)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    int one = 1;
    client->session = number % sessions;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) { perror("socket"); exit(1); }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
    if (bind(client->fd, (void *)&from, sizeof from) ||
        (connect(client->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event)) {
        perror("connect");
        drop(client);
    }
}

static void shake_hands(struct client *client) {
    char request[2048], number[16];
    const char *hole = strstr(path, "{}");
    snprintf(number, sizeof number, "%d", client->session);
    int length = snprintf(request, sizeof request,
        "GET %.*s%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
        hole ? (int)(hole - path) : (int)strlen(path), path, hole ? number : "", hole ? hole + 2 : "", port,
        header, *header ? "\r\n" : "");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_MOD, client->fd, &event);
    client->state = SHAKING;
    say(client, request, length);
}

// Engine.IO: 0 opens, 2 and 3 are ping and pong, 4 is a message; Socket.IO in it: 0 connects, 2 is an event.
static int speaks_socketio(struct client *client, const unsigned char *text, size_t length) {
    if (text[0] == '2') {
        say_frame(client, TEXT, "3", 1);
    } else if (text[0] == '0') {
        say_frame(client, TEXT, "40", 2);
    } else if (length > 1 && text[0] == '4' && text[1] == '0') {
        char join[64];
        say_frame(client, TEXT, join, snprintf(join, sizeof join, "42[\"join\",\"s%d\"]", client->session));
        client->state = JOINING;
    } else if (client->state == JOINING && memmem(text, length, "joined", 6)) {
        be_ready(client);
    } else {
        return 0;
    }
    return 1;
}

static void count_message(const unsigned char *text, size_t length, uint64_t now) {
    if (!count++) {
        first_ns = now;
        cpu_at_first = cpu_seconds();
    }
    last_ns = now;
    bytes += length;
    if (count % every || ages_count == AGES_LIMIT) return;
    const unsigned char *at = memmem(text, length, MARK, sizeof MARK - 1), *end = text + length;
    if (!at) { count--; return; }
    uint64_t made = 0;
    for (at += sizeof MARK - 1; at < end && *at == ' ';) at++;
    for (; at < end && *at >= '0' && *at <= '9'; at++) made = made * 10 + (*at - '0');
    uint64_t age_us = now / 1000 > made ? now / 1000 - made : 0;
    ages[ages_count++] = age_us > UINT32_MAX ? UINT32_MAX : age_us;
}

static void hear_text(struct client *client, const unsigned char *text, size_t length, uint64_t now) {
    if (protocol == SOCKETIO && length && speaks_socketio(client, text, length)) return;
    if (client->state == GREETING && protocol == GREETED) be_ready(client);
    // What is no event is short.
    else if (client->state == READY && length > 256) count_message(text, length, now);
}

// How many bytes the frame at `frame` has, or 0 when it is not all there.
static size_t hear_frame(struct client *client, const unsigned char *frame, size_t length, uint64_t now) {
    size_t head = 2, size = length > 1 ? frame[1] & 0x7f : 0;
    if (size == 126) head = 4;
    if (size == 127) head = 10;
    if (length < head) return 0;
    if (head > 2) {
        size = 0;
        for (size_t i = 2; i < head; i++) size = size << 8 | frame[i];
    }
    if (size > LONGEST_FRAME_BYTES) { fprintf(stderr, "a corrupt frame\n"); exit(1); }
    if (length < head + size) return 0;
    enum opcode opcode = frame[0] & 0x0f;
    if (opcode == TEXT) hear_text(client, frame + head, size, now);
    else if (opcode == PING) say_frame(client, PONG, frame + head, size);
    else if (opcode == CLOSE) drop(client);
    else if (opcode != PONG) { fprintf(stderr, "a corrupt stream: opcode %d\n", opcode); exit(1); }
    return head + size;
}

static size_t hear_head(struct client *client, const unsigned char *data, size_t length) {
    const unsigned char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (length < 12 || memcmp(data + 9, "101", 3)) {
        fprintf(stderr, "refused: %.*s\n", (int)((unsigned char *)memchr(data, '\r', length) - data), data);
        drop(client);
    } else if (protocol == PLAIN) {
        be_ready(client);
    } else {
        client->state = GREETING;
    }
    return end + 4 - data;
}

static void receive(struct client *client) {
    size_t length = client->rest_bytes, used = 0, step;
    memcpy(buffer, client->rest, length);
    ssize_t got = recv(client->fd, buffer + length, BUFFER_BYTES - length, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) drop(client);
        return;
    }
    uint64_t now = now_ns();
    length += got;
    while (client->state != GONE && used < length) {
        step = client->state == SHAKING ? hear_head(client, buffer + used, length - used)
                                        : hear_frame(client, buffer + used, length - used, now);
        if (!step) break;
        used += step;
    }
    if (length - used > client->rest_bytes) client->rest = realloc(client->rest, length - used);
    client->rest_bytes = length - used;
    memcpy(client->rest, buffer + used, length - used);
}

static void serve(int timeout_ms) {
    struct epoll_event events[512];
    int found = epoll_wait(epoll, events, 512, timeout_ms);
    for (int i = 0; i < found; i++) {
        struct client *client = events[i].data.ptr;
        if (!client || client->state == GONE) continue;
        if (client->state != CONNECTING) receive(client);
        else if (events[i].events & (EPOLLERR | EPOLLHUP)) drop(client);
        else shake_hands(client);
    }
}

static void open_all(int wanted, double patience_seconds, int at_once) {
    uint64_t start = now_ns(), deadline = start + patience_seconds * 1e9;
    while (ready + gone < wanted && now_ns() < deadline) {
        for (; began < wanted && began - ready - gone < at_once; began++) connect_one(clients + began, began);
        serve(20);
    }
    printf("{\"ready\":%d,\"failed\":%d,\"seconds\":%.6f}\n", ready, wanted - ready, (now_ns() - start) / 1e9);
    fflush(stdout);
}

static int compare_ages(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

static void count_until(long expected, long quiet_ms) {
    puts("{}");
    fflush(stdout);
    uint64_t start = now_ns();
    count = bytes = ages_count = 0;
    first_ns = last_ns = 0;
    while (count < expected && now_ns() < (count ? last_ns : start) + quiet_ms * 1000000ull) serve(50);
    double seconds = (last_ns - first_ns) / 1e9, cpu = count ? cpu_seconds() - cpu_at_first : 0;
    qsort(ages, ages_count, sizeof *ages, compare_ages);
    long last = ages_count - 1;
    printf("{\"count\":%ld,\"bytes\":%ld,\"seconds\":%.6f,\"busy\":%.3f,\"gone\":%d,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u}\n",
        count, bytes, seconds, seconds > 0 ? cpu / seconds : 0.0, gone, last < 0 ? 0 : ages[last / 2],
        last < 0 ? 0 : ages[(long)(last * 0.99)], last < 0 ? 0 : ages[last]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 8) { fprintf(stderr, "see the head of feeds.c\n"); return 2; }
    port = atoi(argv[1]);
    protocol = !strcmp(argv[2], "socketio") ? SOCKETIO : !strcmp(argv[2], "plain") ? PLAIN : GREETED;
    path = argv[3];
    int wanted = atoi(argv[4]);
    sessions = atoi(argv[5]);
    header = argc > 8 ? argv[8] : "";
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(0);
    clients = calloc(wanted, sizeof *clients);
    ages = malloc(AGES_LIMIT * sizeof *ages);
    open_all(wanted, atof(argv[6]), atoi(argv[7]));
    // The commands come by the same epoll, so that pings are answered meanwhile.
    struct epoll_event commands = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &commands);
    char line[128];
    for (;;) {
        struct timeval none = {0};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        if (select(1, &set, NULL, NULL, &none) < 1) { serve(1000); continue; }
        ssize_t length = read(0, line, sizeof line - 1);
        if (length <= 0) return 0;
        line[length] = 0;
        long expected, quiet_ms;
        if (sscanf(line, "%ld %ld %ld", &expected, &quiet_ms, &every) != 3) return 2;
        count_until(expected, quiet_ms);
    }
}
