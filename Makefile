# oobd: out-of-band console server.  GNU make (gmake on FreeBSD).
#
#   make            build/oobd build/oobctl build/oobsim
#   make check      every suite (contrib/bootstrap.sh check installs what it needs first)
#   make unit e2e lab fuzz soak lint bench   one of them
#   make player     what export --format html needs, with npm
#   make install DESTDIR= PREFIX=
#   SAN=1 ASan+UBSan   V=1 show commands   CC=clang   OS=FreeBSD

PREFIX ?= /usr/local
DESTDIR ?=
OS ?= $(shell uname -s)
CC ?= cc
B ?= build$(if $(SAN),-san)
PKG_CONFIG ?= pkg-config
PYTHON ?= $(shell sh tests/python.sh)
VERSION := $(shell sed -n 's/^\#\# \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla -Wimplicit-fallthrough -Werror
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CPPFLAGS += -DOOBD_VERSION='"$(VERSION)"' -DPREFIX='"$(PREFIX)"'
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CFLAGS) $(CPPFLAGS) $(OS_CPPFLAGS)
LDFLAGS += -pie -Wl,-z,relro,-z,now
ifdef SAN
HARDEN = -fno-omit-frame-pointer -fPIE
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS = -O1 -g $(SANFLAGS)
LDFLAGS = -pie $(SANFLAGS)
endif

# What differs between systems is a whole file.
ifeq ($(OS),FreeBSD)
OS_CPPFLAGS = -D_WITH_DPRINTF -I/usr/local/include
OS_LIBS = -L/usr/local/lib -lutil
SANDBOX_OS = sandbox_freebsd
BASE_OS = $(addprefix server/base/,os_freebsd waiter_poll)
CONFIG_OS = config_freebsd
MODEM_OS = $(addprefix modem/,usbreset_freebsd ppp_freebsd route_freebsd)
SERIAL_OS = serial/speed_posix serial/lock_freebsd serial/hotplug_poll \
	serial/usb_freebsd serial/icount_none
else
OS_CPPFLAGS = -D_GNU_SOURCE
OS_LIBS = -lseccomp
SANDBOX_OS = sandbox_linux
BASE_OS = $(addprefix server/base/,os_linux waiter_linux)
CONFIG_OS = config_linux
MODEM_OS = $(addprefix modem/,usbreset_linux ppp_linux route_linux)
SERIAL_OS = serial/speed_linux serial/lock_linux serial/hotplug_linux \
	serial/usb_linux serial/icount_linux
endif

BASE = $(addprefix server/base/,aside buf clock fileio folder frame link log loop mem pass ring \
	str syslogd thread) $(BASE_OS)
SERIAL = $(addprefix serial/,chain grep history hub jback jdir jfile \
	jfile_open journal jread jscan keys line logview needle pack parmrk \
	port record replay reserve scribe scribe_box scribe_log seal segment \
	sieve strip syncer tail tidy tidy_list tty typed uart usb view viewout \
	when zseek) $(SERIAL_OS)
# Alerts.
SERIAL += $(addprefix serial/,alerts alerts_report crash crash_head crash_view \
	lookout omens pattern)
# The record for others: replay and export.
SERIAL += $(addprefix serial/,cast export export_html pieces replay_find \
	replay_keys stage ttyrec typescript)
AUTH = $(addprefix auth/,addr blob cert digest hmac keys keys_blob throttle otp codes \
	codes_file passwd proof secret voucher)
MODEM = $(addprefix modem/,charset pdu pdu_decode pdu_encode pdu_udh \
	inbox inbox_take join seen compose outbox outbox_file sms_at \
	at_channel at_errors at_field at_lex at_pending at_port at_queue \
	at_result \
	device device_init device_open device_repair device_return \
	device_script device_sim device_watch helper ladder pinlog ports \
	budget ppp ppp_pppd ppp_userland route \
	quirks command sender activation linkstate drill replies schedule uplink) $(MODEM_OS)
CORE = $(addprefix server/,config config_check config_fill config_find \
	config_keys config_kind config_kind_net config_print config_read \
	config_scan config_table config_tty config_way $(CONFIG_OS) feed feed_peer feed_request \
	feed_session listen \
	editor roster session session_line session_menu verbs words \
	code_tool qr tool_state user_tool)
DAEMON = $(addprefix server/,answer answer_digest answer_grant answer_status answer_who bookmarks \
	children chronicle dialer dialers digest herald saver witness witness_show client \
	client_notify client_peer client_readers client_requests console console_control guest \
	keeper \
	folders keyring lender grants granter names opener power pppjob pppleft ppprun \
	privileged reader role sandbox $(SANDBOX_OS) ssh usbjob \
	ssh_auth ssh_chan ssh_conn ssh_conn_ask ssh_conns ssh_echo ssh_gate \
	gate ssh_hook ssh_key ssh_login ssh_proof ssh_selftest supervisor task wire wire_journal \
	wire_out modem modem_home modem_link modem_link_verb modem_saved modem_way \
	modem_device modem_device_verb modem_dial modem_dial_data modem_dial_watch \
	modem_drill modem_drill_file modem_drill_text \
	modem_link_way modem_report modem_sms modem_sms_act modem_sms_verb \
	modem_uplink modem_why told)
RELAY = $(addprefix server/,relay relay_call relay_chan relay_dial relay_drill relay_failure \
	relay_key relay_keygen relay_login \
	relay_probe relay_session relay_text relays relays_config relays_drill \
	relays_task \
	ssh_offer)

# Who came in, and who did not.
DAEMON += $(addprefix server/,authlog client_auth last pending ssh_conn_tell \
	tool_tell)

NOTIFY = $(addprefix server/,notices notify notify_exec notify_post notify_pump \
	notify_run sink \
	notify_queue notify_queue_text notify_send notify_sinks notify_test)

# Whether the record is as it was written.
VERIFY = serial/check serial/check_span auth/sshsig server/console_seal \
	server/signer server/verify server/verify_box

LIB_OBJS = $(addprefix $(B)/,$(addsuffix .o,$(BASE) $(SERIAL) $(AUTH) $(MODEM) $(CORE) \
	$(DAEMON) $(RELAY) $(NOTIFY) $(VERIFY)))
OOBD_OBJS = $(B)/server/main.o
OOBCTL_OBJS = $(addprefix $(B)/server/,ctl.o ctl_terminal.o ctl_tools.o sms_decode.o)
SIM = $(addprefix contrib/sim/,main control escape modem modem_at modem_at_field \
	modem_card modem_carrier modem_cmds_basic modem_cmds_huawei modem_cmds_network \
	modem_cmds_sms modem_fault modem_hdlc modem_orders modem_pdu modem_peer \
	modem_port modem_portal modem_session modem_stick modem_store router \
	router_box router_cmds router_shell router_top script script_text sock \
	tell wire)
OOBSIM_OBJS = $(addprefix $(B)/,$(addsuffix .o,$(SIM)))
BASE_OBJS = $(addprefix $(B)/,$(addsuffix .o,$(BASE)))

LIBS_FULL = -lssh -lcrypto -lserialport -lconfuse -ljansson -lsodium -lcares -loath -lqrencode -lcurl -lzstd -lpthread $(OS_LIBS)

PROGRAMS = $(B)/oobd $(B)/oobctl $(B)/oobsim
all: $(PROGRAMS)

# For export --format html; never fails where it cannot be had.
player:
	sh contrib/player.sh $(B)/share/player

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

$(B)/liboobd.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rc $@ $(LIB_OBJS)

$(B)/oobd: $(OOBD_OBJS) $(B)/liboobd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_FULL)

$(B)/oobctl: $(OOBCTL_OBJS) $(B)/liboobd.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_FULL)

$(B)/oobsim: $(OOBSIM_OBJS) $(BASE_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lpthread

$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(LIB_OBJS:.o=.d) $(OOBD_OBJS:.o=.d) $(OOBCTL_OBJS:.o=.d) \
	$(OOBSIM_OBJS:.o=.d)

# Tests.  A unit test is tests/unit/NAME_test.c, linked with everything.
UNIT = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))

$(B)/tests/%: tests/unit/%.c $(B)/liboobd.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(B)/liboobd.a -lcmocka $(LIBS_FULL)

-include $(UNIT:=.d)

# Loaded by tests into programs: shim stands before libc in tests of serial
# ports, token is a FIDO token for ssh.  Never with sanitizers themselves.
$(B)/tests/%.so: tests/shim/%.c
	$(call say,SHIM,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) -std=c11 $(WARN) -O2 -g -fPIC -shared $(OS_CPPFLAGS) -o $@ $< -ldl -lsodium

ifneq ($(OS),FreeBSD)
SHIM = $(B)/tests/shim.so $(B)/tests/token.so $(B)/tests/fatal.so \
	$(B)/tests/fast.so $(B)/tests/wall.so $(B)/tests/synced.so \
	$(B)/tests/alloc.so $(B)/tests/short.so $(B)/tests/gcrypt.so \
	$(B)/tests/intruder.so $(B)/tests/tight.so \
	$(B)/tests/inuse.so $(B)/tests/pace.so
endif

shims: $(SHIM)

# Some start the daemon in one of its roles.
unit-programs: $(PROGRAMS) $(UNIT) $(SHIM)

unit: $(PROGRAMS) $(UNIT) $(SHIM)
	sh tests/unit/run.sh $(UNIT)

e2e: all player $(SHIM)
	$(PYTHON) -m pytest -q tests/e2e

# Stands where the modem process does, in a guest.
$(B)/tests/ppp_driver: tests/lab/src/ppp_driver.c $(B)/liboobd.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< $(B)/liboobd.a $(LIBS_FULL)

lab: all player $(B)/tests/ppp_driver
	$(PYTHON) -m pytest -q -n 2 --dist loadfile tests/lab

# Everything at random: make soak T=86400 SEED=7
soak: T = 600
soak: all
	$(PYTHON) tests/soak/run.py --seconds $(T) $(if $(SEED),--seed $(SEED))

lint:
	sh tests/lint/run.sh

# What lint compiles with, too.
warnings:
	@echo '$(WARN)'

# Packs a folder of segments for the measurement of searching.
$(B)/bench/pack: tests/bench/src/pack.c $(B)/liboobd.a
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< $(B)/liboobd.a $(LIBS_FULL)

bench: all $(B)/bench/pack
	$(PYTHON) tests/bench/run.py

check:
	sh tests/check.sh

include tests/fuzz/fuzz.mk
include docs/install.mk
include tests/lint/freebsd.mk

clean:
	rm -rf build build-san build-fuzz build-clang

.PHONY: all player shims unit unit-programs e2e lab soak lint warnings bench check clean
