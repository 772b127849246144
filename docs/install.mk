# make install DESTDIR= PREFIX=, make uninstall, make demo.
#
# The configuration is never replaced: a sample is put beside it.

SYSCONFDIR ?= $(if $(filter FreeBSD,$(OS)),$(PREFIX)/etc,/etc/oobd)
MANDIR ?= $(PREFIX)/share/man
SAMPLE = $(DESTDIR)$(SYSCONFDIR)/oobd.conf.sample
# For another machine: the relay's side.
SHARE = $(PREFIX)/share/oobd
MAN = docs/oobctl.1 docs/oobsim.1 docs/oobd.conf.5 docs/oobd.8
INSTALL ?= install
# The sample has Linux's paths.
ifeq ($(OS),FreeBSD)
SAMPLE_PATHS = s|/etc/oobd/|$(SYSCONFDIR)/oobd/|; \
	s|/var/lib/oobd|/var/db/oobd|; s|/dev/ttyUSB0|/dev/cuaU0|
endif

# $(call man_path,docs/oobd.8): where a page goes.
man_path = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))

install: all
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(SYSCONFDIR) $(DESTDIR)$(MANDIR)/man1 \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(SHARE)
	$(INSTALL) -m 755 $(B)/oobd $(DESTDIR)$(PREFIX)/sbin/oobd
	$(INSTALL) -m 755 $(B)/oobctl $(DESTDIR)$(PREFIX)/bin/oobctl
	$(INSTALL) -m 755 $(B)/oobsim $(DESTDIR)$(PREFIX)/bin/oobsim
	$(foreach m,$(MAN),$(INSTALL) -m 644 $(m) $(call man_path,$(m)) &&) :
	$(INSTALL) -m 755 contrib/relay/oobd-relay-setup.sh \
		$(DESTDIR)$(SHARE)/oobd-relay-setup.sh
	sed -e '$(SAMPLE_PATHS)' docs/oobd.conf.sample > $(SAMPLE)
	chmod 644 $(SAMPLE)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/oobd $(DESTDIR)$(PREFIX)/bin/oobctl \
		$(DESTDIR)$(PREFIX)/bin/oobsim $(SAMPLE) \
		$(DESTDIR)$(SHARE)/oobd-relay-setup.sh \
		$(foreach m,$(MAN),$(call man_path,$(m)))

demo:
	sh contrib/bootstrap.sh demo

.PHONY: install uninstall demo
