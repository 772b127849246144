#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/libssh.h>
#include <openssl/evp.h>

#include "../auth/blob.h"
#include "../auth/proof.h"
#include "base/mem.h"
#include "ssh_proof.h"

#define SIG_MAX 2048		/* of RSA with 16384 bits */

typedef int verify_fn(EVP_MD_CTX *, const unsigned char *, size_t,
    const unsigned char *, size_t);
typedef int update_fn(EVP_MD_CTX *, const void *, size_t);

struct part {
	size_t n;
	uint8_t bytes[PROOF_MAX];
};

/* These functions have no argument of ours, so what they hear lies here. */
static struct {
	bool listening, good;
	struct part data, made, sig;
} heard;

static void
keep(struct part *to, const void *p, size_t n)
{
	to->n = n <= sizeof(to->bytes) ? n : 0;
	memcpy(to->bytes, p, to->n);
}

/* A pointer to a function is none to an object: C11 6.3.2.3. */
static void
find_real(const char *name, void *function, size_t size)
{
	void *real = dlsym(RTLD_NEXT, name);

	if (real == NULL)
		abort();	/* the library that we are linked with */
	memcpy(function, &real, size);
}

/* Of a security key, made is signed and data was digested just before. */
static void
note(const unsigned char *sig, size_t nsig, const unsigned char *p, size_t n)
{
	heard.made.n = 0;
	heard.good = nsig <= SIG_MAX;
	keep(&heard.sig, sig, nsig <= SIG_MAX ? nsig : 0);
	if (proof_is_request(p, n))
		keep(&heard.data, p, n);
	else if (heard.data.n > 0)
		keep(&heard.made, p, n);
	else
		heard.good = false;
}

int
EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t nsig,
    const unsigned char *p, size_t n)
{
	static verify_fn *real;
	int r;

	if (real == NULL)
		find_real("EVP_DigestVerify", &real, sizeof(real));
	r = real(ctx, sig, nsig, p, n);
	if (r == 1 && heard.listening)
		note(sig, nsig, p, n);
	return r;
}

int
EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *p, size_t n)
{
	static update_fn *real;

	if (real == NULL)
		find_real("EVP_DigestUpdate", &real, sizeof(real));
	if (heard.listening && proof_is_request(p, n)) {
		keep(&heard.data, p, n);
		heard.good = false;
	}
	return real(ctx, p, n);
}

/* "0.10.6/openssl/zlib" */
bool
ssh_proof_is_possible(void)
{
	verify_fn *first;
	void *found = dlsym(RTLD_DEFAULT, "EVP_DigestVerify");

	memcpy(&first, &found, sizeof(first));
	return first == EVP_DigestVerify &&
	    strstr(ssh_version(0), "/openssl") != NULL;
}

void
ssh_proof_listen(bool on)
{
	heard.listening = on && ssh_proof_is_possible();
}

bool
ssh_proof_take(struct ssh_proof *p)
{
	bool good = heard.good;

	ssh_proof_free(p);
	if (good) {
		p->data = blob_encode(heard.data.bytes, heard.data.n);
		p->made = blob_encode(heard.made.bytes, heard.made.n);
		p->sig = blob_encode(heard.sig.bytes, heard.sig.n);
	}
	heard.good = false;
	heard.data.n = 0;
	return good;
}

void
ssh_proof_free(struct ssh_proof *p)
{
	if (p == NULL)
		return;
	free(p->data);
	free(p->made);
	free(p->sig);
	memset(p, 0, sizeof(*p));
}
