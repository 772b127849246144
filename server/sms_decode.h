/*
 * sms_decode: the local tool "sms decode HEX [--json]" of oobctl: what stands
 * in a PDU as a modem shows it.  It needs no daemon and no modem.
 */
#ifndef SERVER_SMS_DECODE_H
#define SERVER_SMS_DECODE_H

/*
 * A ctl_tool_fn: argv begins with "sms", "decode".  ST_FAILED and one line
 * why on stderr when HEX is no message.
 */
int sms_decode(int argc, char *const argv[]);

#endif
