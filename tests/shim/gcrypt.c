/*
 * gcrypt: a libssh that says it is built with another library, whose checks
 * cannot be listened to.  Loaded with LD_PRELOAD; build/tests/gcrypt.so.
 */
const char *ssh_version(int);

const char *
ssh_version(int at_least)
{
	(void)at_least;
	return "0.10.6/gcrypt/zlib";
}
