# make install DESTDIR= PREFIX=, make uninstall, make deb, make demo.
#
# The configuration is never replaced: a sample is put beside it.  Nothing is
# started, and no user is made: docs/install.md tells how.

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

# What the system's own daemons read.
ifeq ($(OS),FreeBSD)
SYSTEM = contrib/oobd.rc:$(PREFIX)/etc/rc.d/oobd:555 \
	contrib/devd-oobd.conf:$(PREFIX)/etc/devd/oobd.conf:644
else
SYSTEM = contrib/oobd.service:$(PREFIX)/lib/systemd/system/oobd.service:644 \
	contrib/oobd.sysusers:$(PREFIX)/lib/sysusers.d/oobd.conf:644 \
	contrib/oobd.tmpfiles:$(PREFIX)/lib/tmpfiles.d/oobd.conf:644 \
	contrib/70-oobd.rules:$(PREFIX)/lib/udev/rules.d/70-oobd.rules:644
endif

ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
COMPLETIONS = contrib/completions
# SOURCE:WHERE:MODE; in all of them /usr/local becomes PREFIX.
FILES = $(SYSTEM) \
	$(COMPLETIONS)/oobctl-words.sh:$(SHARE)/oobctl-words:755 \
	$(COMPLETIONS)/oobctl.bash:$(PREFIX)/share/bash-completion/completions/oobctl:644 \
	$(COMPLETIONS)/_oobctl:$(ZSHDIR)/_oobctl:644 \
	$(COMPLETIONS)/oobctl.fish:$(PREFIX)/share/fish/vendor_completions.d/oobctl.fish:644

# $(call part,N,a:b:c)
part = $(word $(1),$(subst :, ,$(2)))
to = $(DESTDIR)$(call part,2,$(1))

# $(call man_path,docs/oobd.8): where a page goes.
man_path = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))

# Of the asciinema player, where it could be fetched.
PLAYER = $(addprefix asciinema-player.,min.js css LICENSE)

install: all player
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
	@$(foreach f,$(FILES),$(INSTALL) -d $(dir $(call to,$(f))) && \
		rm -f $(call to,$(f)) && \
		sed -e 's|/usr/local|$(PREFIX)|g' $(call part,1,$(f)) \
		> $(call to,$(f)) && \
		chmod $(call part,3,$(f)) $(call to,$(f)) &&) :
	test ! -d $(B)/share/player || { \
		$(INSTALL) -d $(DESTDIR)$(SHARE)/player && \
		$(INSTALL) -m 644 $(addprefix $(B)/share/player/,$(PLAYER)) \
			$(DESTDIR)$(SHARE)/player/; }
	sed -e '$(SAMPLE_PATHS)' docs/oobd.conf.sample > $(SAMPLE)
	chmod 644 $(SAMPLE)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/oobd $(DESTDIR)$(PREFIX)/bin/oobctl \
		$(DESTDIR)$(PREFIX)/bin/oobsim $(SAMPLE) \
		$(DESTDIR)$(SHARE)/oobd-relay-setup.sh \
		$(foreach f,$(FILES),$(call to,$(f))) \
		$(addprefix $(DESTDIR)$(SHARE)/player/,$(PLAYER)) \
		$(foreach m,$(MAN),$(call man_path,$(m)))

# A Debian package in build/deb, as any user.
DEB_VERSION ?= $(VERSION)
DEB = $(B)/deb

deb: all
	rm -rf $(DEB)/root
	$(MAKE) install DESTDIR=$(abspath $(DEB))/root PREFIX=/usr \
		SYSCONFDIR=/etc/oobd ZSHDIR=/usr/share/zsh/vendor-completions
	sh contrib/debian/build.sh $(DEB)/root $(DEB_VERSION) $(DEB)

demo:
	sh contrib/bootstrap.sh demo

.PHONY: install uninstall deb demo
