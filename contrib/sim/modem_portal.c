#include <stdbool.h>
#include <string.h>

#include "modem_portal.h"

#define IP_HEAD 20
#define TCP_HEAD 20
#define UDP_HEAD 8
#define ICMP_HEAD 8
#define DNS_HEAD 12

#define ICMP 1
#define TCP 6
#define UDP 17

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

#define FIRST_SEQ 0x10000	/* of every connection: nothing is kept */

static const char page[] =
    "HTTP/1.1 302 Found\r\n"
    "Location: http://portal.example/topup\r\n"
    "Content-Type: text/html\r\n"
    "Connection: close\r\n"
    "Content-Length: 27\r\n\r\n"
    "<h1>Please top up now</h1>\n";

static const uint8_t portal_addr[4] = { 10, 64, 64, 80 };

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return s;
}

static uint32_t
fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

/* The IP header for an answer with n bytes behind it, from where it went. */
static size_t
ip_head(const uint8_t *to, uint8_t *out, uint8_t protocol, size_t n)
{
	memset(out, 0, IP_HEAD);
	out[0] = 0x45;
	put16(out + 2, (uint32_t)(IP_HEAD + n));
	out[8] = 64;
	out[9] = protocol;
	memcpy(out + 12, to + 16, 4);
	memcpy(out + 16, to + 12, 4);
	put16(out + 10, fold(sum(0, out, IP_HEAD)));
	return IP_HEAD + n;
}

/* Checksum of a TCP or UDP body behind its finished IP header. */
static uint32_t
body_sum(const uint8_t *ip, const uint8_t *body, size_t n)
{
	uint32_t s = sum(ip[9] + (uint32_t)n, ip + 12, 8);

	return fold(sum(s, body, n));
}

static size_t
answer_ping(const uint8_t *ip, const uint8_t *body, size_t n, uint8_t *out)
{
	uint8_t *icmp = out + IP_HEAD;

	if (n < ICMP_HEAD || n > PORTAL_PACKET - IP_HEAD || body[0] != 8)
		return 0;
	memcpy(icmp, body, n);
	icmp[0] = 0;
	put16(icmp + 2, 0);
	put16(icmp + 2, fold(sum(0, icmp, n)));
	return ip_head(ip, out, ICMP, n);
}

static size_t
answer_tcp(const uint8_t *ip, const uint8_t *body, size_t n, uint8_t *out)
{
	size_t head = n < TCP_HEAD ? n : (size_t)(body[12] >> 4) * 4, data;
	uint8_t *tcp = out + IP_HEAD, flags = n < TCP_HEAD ? RST : body[13];
	uint32_t seq;

	if (n < TCP_HEAD || head < TCP_HEAD || head > n || (flags & RST))
		return 0;
	data = n - head;
	if (!(flags & (SYN | FIN)) && data == 0)
		return 0;
	seq = flags & SYN ? FIRST_SEQ : get32(body + 8);
	memset(tcp, 0, TCP_HEAD);
	memcpy(tcp, body + 2, 2);
	memcpy(tcp + 2, body, 2);
	put32(tcp + 4, seq);
	put32(tcp + 8, get32(body + 4) + (uint32_t)data +
	    ((flags & (SYN | FIN)) != 0));
	tcp[12] = TCP_HEAD / 4 << 4;
	tcp[13] = ACK | (flags & SYN);
	put16(tcp + 14, 8192);
	n = TCP_HEAD;
	/* The first words of a client get the page, and the connection ends. */
	if (!(flags & SYN) && data > 0 && seq == FIRST_SEQ + 1) {
		tcp[13] |= PSH | FIN;
		memcpy(tcp + n, page, sizeof(page) - 1);
		n += sizeof(page) - 1;
	}
	ip_head(ip, out, TCP, n);
	put16(tcp + 16, body_sum(out, tcp, n));
	return IP_HEAD + n;
}

/* The length of the one question at p, 0 when there is something else. */
static size_t
question(const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n && p[at] != 0 && p[at] < 64)
		at += 1u + p[at];
	return at + 5 <= n && p[at] == 0 ? at + 5 : 0;
}

static size_t
answer_dns(const uint8_t *ip, const uint8_t *body, size_t n, uint8_t *out)
{
	static const uint8_t record[] = { 0xc0, DNS_HEAD, 0, 1, 0, 1, 0, 0, 0,
	    60, 0, 4 };
	uint8_t *udp = out + IP_HEAD, *dns = udp + UDP_HEAD;
	const uint8_t *ask = body + UDP_HEAD;
	size_t q;

	if (n < UDP_HEAD + DNS_HEAD || n > 512 || get16(body + 2) != 53 ||
	    (ask[2] & 0x80) || get16(ask + 4) != 1)
		return 0;
	q = question(ask + DNS_HEAD, n - UDP_HEAD - DNS_HEAD);
	if (q == 0)
		return 0;
	memcpy(dns, ask, DNS_HEAD + q);
	dns[2] |= 0x84;
	dns[3] = 0x80;
	memset(dns + 6, 0, 6);
	n = UDP_HEAD + DNS_HEAD + q;
	/* An address is all that is known of any name. */
	if (get16(dns + DNS_HEAD + q - 4) == 1) {
		dns[7] = 1;
		memcpy(udp + n, record, sizeof(record));
		memcpy(udp + n + sizeof(record), portal_addr, 4);
		n += sizeof(record) + 4;
	}
	memcpy(udp, body + 2, 2);
	memcpy(udp + 2, body, 2);
	put16(udp + 4, (uint32_t)n);
	put16(udp + 6, 0);
	ip_head(ip, out, UDP, n);
	put16(udp + 6, body_sum(out, udp, n));
	return IP_HEAD + n;
}

size_t
portal_answer(const uint8_t *ip, size_t n, uint8_t out[PORTAL_PACKET])
{
	size_t head, all;

	if (n < IP_HEAD || ip[0] >> 4 != 4)
		return 0;
	head = (size_t)(ip[0] & 15) * 4;
	all = get16(ip + 2);
	if (head < IP_HEAD || all < head || all > n)
		return 0;
	switch (ip[9]) {
	case ICMP:
		return answer_ping(ip, ip + head, all - head, out);
	case TCP:
		return answer_tcp(ip, ip + head, all - head, out);
	case UDP:
		return answer_dns(ip, ip + head, all - head, out);
	}
	return 0;
}
