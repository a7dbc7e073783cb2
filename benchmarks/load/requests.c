// Plain HTTP requests, each on a connection of its own, a fixed number of them at once.
//
// requests PORT PATH SECONDS AT_ONCE PAUSE_MS
//
// Whoever has an answer asks again after PAUSE_MS. At the end it says how many answers came and how long they took.
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

#define AT_ONCE_LIMIT 512
#define AGES_LIMIT (1 << 20)
#define SOURCES 32

struct asker {
    int fd, open, answered;
    uint64_t began_ns, next_ns;
};

static struct asker askers[AT_ONCE_LIMIT];
static uint32_t ages[AGES_LIMIT];
static long count, failed;
static int epoll, port;
static char request[512];

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void ask(struct asker *asker) {
    static unsigned number;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000022 + number++ % SOURCES)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    int one = 1;
    asker->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(asker->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(asker->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(asker->fd, (void *)&from, sizeof from);
    asker->open = 1;
    asker->answered = 0;
    asker->began_ns = now_ns();
    if (connect(asker->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) { perror("connect"); exit(1); }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = asker};
    epoll_ctl(epoll, EPOLL_CTL_ADD, asker->fd, &event);
}

static void be_done(struct asker *asker, uint64_t pause_ns) {
    uint64_t now = now_ns();
    if (!asker->answered) failed++;
    else if (count < AGES_LIMIT) ages[count++] = (now - asker->began_ns) / 1000;
    close(asker->fd);
    asker->open = 0;
    asker->next_ns = now + pause_ns;
}

static void serve(struct asker *asker, unsigned happened, uint64_t pause_ns) {
    char answer[65536];
    if (happened & EPOLLOUT) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = asker};
        epoll_ctl(epoll, EPOLL_CTL_MOD, asker->fd, &event);
        send(asker->fd, request, strlen(request), MSG_NOSIGNAL);
        return;
    }
    ssize_t got = recv(asker->fd, answer, sizeof answer, 0);
    if (got > 12 && !memcmp(answer, "HTTP/1.1 200", 12)) asker->answered = 1;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) be_done(asker, pause_ns);
}

static int compare_ages(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

int main(int argc, char **argv) {
    if (argc < 6) { fprintf(stderr, "see the head of requests.c\n"); return 2; }
    port = atoi(argv[1]);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", argv[2]);
    uint64_t start = now_ns(), end = start + atof(argv[3]) * 1e9, pause_ns = atof(argv[5]) * 1e6;
    int at_once = atoi(argv[4]) < AT_ONCE_LIMIT ? atoi(argv[4]) : AT_ONCE_LIMIT;
    epoll = epoll_create1(0);
    while (now_ns() < end) {
        for (int i = 0; i < at_once; i++) if (!askers[i].open && now_ns() >= askers[i].next_ns) ask(askers + i);
        struct epoll_event events[AT_ONCE_LIMIT];
        int found = epoll_wait(epoll, events, AT_ONCE_LIMIT, 1);
        for (int i = 0; i < found; i++) serve(events[i].data.ptr, events[i].events, pause_ns);
    }
    double seconds = (now_ns() - start) / 1e9;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    qsort(ages, count, sizeof *ages, compare_ages);
    printf("{\"count\":%ld,\"failed\":%ld,\"seconds\":%.6f,\"busy\":%.3f,\"p50_us\":%u,\"p99_us\":%u}\n", count, failed,
        seconds, cpu / seconds, count ? ages[(count - 1) / 2] : 0, count ? ages[(long)((count - 1) * 0.99)] : 0);
    return 0;
}
