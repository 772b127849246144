# make fuzz T=60: all of it.
# make fuzz-parsers: every tests/fuzz/NAME_fuzz.c with libFuzzer for T seconds,
# from the seeds in tests/fuzz/corpus/NAME.  What is found stays in
# build-fuzz/found.  Needs clang.
# make fuzz-ssh: the daemon through its own socket, for T seconds.

T ?= 60
FUZZ = $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SAN = -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=address,undefined
FUZZ_CC ?= clang

$(B)/fuzz/%: tests/fuzz/%_fuzz.c $(B)/liboobd.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -fsanitize=fuzzer -MMD -MP \
		-MF $@.d -o $@ $< $(B)/liboobd.a $(LIBS_FULL)

-include $(addsuffix .d,$(addprefix $(B)/fuzz/,$(FUZZ)))

fuzz-programs: $(addprefix $(B)/fuzz/,$(FUZZ))

fuzz: fuzz-parsers fuzz-ssh

fuzz-parsers:
	$(MAKE) B=build-fuzz CC='$(FUZZ_CC)' HARDEN= LDFLAGS='$(FUZZ_SAN)' \
		CFLAGS='-O1 $(FUZZ_SAN) -fsanitize=fuzzer-no-link' \
		fuzz-programs
	sh tests/fuzz/run.sh $(T) $(FUZZ)

fuzz-ssh:
	$(MAKE) SAN=1 all shims
	OOBD_BUILD=build-san OOBD_FUZZ_T=$(T) \
		ASAN_OPTIONS=abort_on_error=1:detect_leaks=0 \
		$(PYTHON) -m pytest -q -s tests/e2e/test_ssh_fuzz.py

.PHONY: fuzz fuzz-parsers fuzz-ssh fuzz-programs
