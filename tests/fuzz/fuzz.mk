# make fuzz T=60: every tests/fuzz/NAME_fuzz.c with libFuzzer for T seconds,
# from the seeds in tests/fuzz/corpus/NAME.  What is found stays in
# build-fuzz/found.  Needs clang.

T ?= 60
FUZZ = $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SAN = -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=address,undefined
FUZZ_CC ?= clang

$(B)/fuzz/%: tests/fuzz/%_fuzz.c $(B)/liboobd.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -fsanitize=fuzzer -o $@ $< \
		$(B)/liboobd.a $(LIBS_FULL)

fuzz-programs: $(addprefix $(B)/fuzz/,$(FUZZ))

fuzz:
	$(MAKE) B=build-fuzz CC='$(FUZZ_CC)' HARDEN= LDFLAGS='$(FUZZ_SAN)' \
		CFLAGS='-O1 $(FUZZ_SAN) -fsanitize=fuzzer-no-link' \
		fuzz-programs
	sh tests/fuzz/run.sh $(T) $(FUZZ)

.PHONY: fuzz fuzz-programs
