/*
 * config_kind: the kinds of values that options have.  Each checks strictly
 * and says in its complaint what to write instead.  The comment names the
 * type of the field, and what else of the option it heeds.
 */
#ifndef SERVER_CONFIG_KIND_H
#define SERVER_CONFIG_KIND_H

#include "config_internal.h"

/* config_kind.c */
extern const struct config_kind
    kind_text,		/* char *: for people, at most max bytes */
    kind_word,		/* char *: the same, not empty */
    kind_path,		/* char *: the same, from / */
    kind_name,		/* char *: as str_is_name */
    kind_way,		/* char *: as config_way */
    kind_regex,		/* char *: as pattern_check, at most max bytes */
    kind_number,	/* unsigned: min to max */
    kind_duration,	/* int64_t: ms, min to max */
    kind_size,		/* uint64_t: bytes, min to max; 0: none */
    kind_ring,		/* size_t: bytes, a power of two, min to max */
    kind_boolean,		/* bool */
    kind_choice,	/* an enum: its words */
    kind_flag,		/* bool: words[1] is true, words[0] false */
    kind_escape,	/* int: "^E" or "off" */
    kind_drill;		/* char *: as config_drill */

/* config_kind_net.c: what stands for a device, a host or a person elsewhere */
extern const struct config_kind
    kind_device,	/* char *: path or usb:VID:PID */
    kind_speed,		/* struct line */
    kind_mode,		/* struct line */
    kind_flow,		/* struct line */
    kind_listen,	/* char *: "127.0.0.1:2222" */
    kind_forward,	/* char *: "localhost:31337", as config_listen_split */
    kind_peer,		/* char *: "host:port" of somebody else */
    kind_host,		/* char *: name or address */
    kind_address,	/* char *: address, or words[0] */
    kind_login,		/* char *: user name elsewhere */
    kind_apn,		/* char *: may be empty */
    kind_dial,		/* char *: "*99#" */
    kind_phone,		/* char *: E.164 */
    kind_url,		/* char *: http or https */
    kind_key,		/* char *: line of authorized_keys */
    kind_host_key,	/* char *: type and key */
    kind_authority,	/* char *: the same, of an authority */
    kind_revoked;	/* char *: "serial:7", "id:TEXT", or as before */

#endif
