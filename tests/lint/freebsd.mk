# make freebsd-check SYSROOT=DIR
#
# Compile, without making anything, every file that FreeBSD would build
# against FreeBSD's own headers: DIR/usr/include (an unpacked base.txz) or DIR
# itself.  Of this system only the headers of the libraries are used.

FREEBSD_CC ?= clang
FREEBSD_TARGET ?= x86_64-unknown-freebsd
FREEBSD_LIBS = ares.h ares_build.h ares_dns.h ares_rules.h ares_version.h \
	cmocka.h confuse.h curl jansson.h jansson_config.h liboath \
	libserialport.h libssh openssl qrencode.h sodium sodium.h zstd.h zstd_errors.h
FREEBSD_WHERE = /usr/local/include /usr/include \
	$(wildcard /usr/include/*-linux-gnu)
FREEBSD_INC = $(firstword $(foreach d,$(SYSROOT)/usr/include $(SYSROOT),\
	$(if $(wildcard $(d)/sys/param.h),$(d))))
FREEBSD_OBJS = $(LIB_OBJS) $(OOBD_OBJS) $(OOBCTL_OBJS) $(OOBSIM_OBJS)
# A file that is listed but missing is for the real build to complain about.
FREEBSD_SRCS = $(wildcard $(FREEBSD_OBJS:$(B)/%.o=%.c) tests/unit/*_test.c \
	tests/fuzz/*_fuzz.c)
FREEBSD_FLAGS = --target=$(FREEBSD_TARGET) -fsyntax-only -nostdlibinc \
	-isystem $(FREEBSD_INC) -isystem $(B)/freebsd-include -I.

freebsd-check:
	@test -n "$(SYSROOT)" || { echo "freebsd-check: say where FreeBSD's \
	headers are: make freebsd-check SYSROOT=DIR, with DIR/usr/include or \
	DIR holding them (base.txz of any release has them)" >&2; exit 2; }
	@test -n "$(FREEBSD_INC)" || { echo "freebsd-check: $(SYSROOT) holds \
	neither usr/include/sys/param.h nor sys/param.h" >&2; exit 2; }
	@grep -q __FreeBSD_version "$(FREEBSD_INC)/sys/param.h" || { echo \
	"freebsd-check: $(FREEBSD_INC) is not FreeBSD's" >&2; exit 2; }
	@$(MAKE) --no-print-directory OS=FreeBSD freebsd-compile

# Only what is asked for: all of this system's headers would hide mistakes.
# A folder may be spread over several.
freebsd-include:
	@rm -rf $(B)/freebsd-include && mkdir -p $(B)/freebsd-include
	@for h in $(FREEBSD_LIBS); do \
		for d in $(FREEBSD_WHERE); do \
			test -e $$d/$$h || continue; \
			if test -d $$d/$$h; then \
				mkdir -p $(B)/freebsd-include/$$h; \
				ln -sf $$d/$$h/* $(B)/freebsd-include/$$h; \
			elif ! test -e $(B)/freebsd-include/$$h; then \
				ln -s $$d/$$h $(B)/freebsd-include/$$h; \
			fi; \
		done; \
		test -e $(B)/freebsd-include/$$h || \
		    echo "freebsd-check: no $$h on this system" >&2; \
	done

freebsd-compile: freebsd-include
	@failed=0; for f in $(FREEBSD_SRCS); do \
		$(if $(V),echo "$$f";) \
		$(FREEBSD_CC) -std=c11 $(WARN) -O2 $(FREEBSD_FLAGS) \
		    $(filter -D%,$(OS_CPPFLAGS) $(CPPFLAGS)) $$f || failed=$$((failed + 1)); \
	done; \
	echo "freebsd-check: $(words $(FREEBSD_SRCS)) files, $$failed failed"; \
	test $$failed = 0

.PHONY: freebsd-check freebsd-include freebsd-compile
