# muniment: make, make test, make asan, make lint, make bench, make demo, make install
#
# Builds out of tree in build/<mode>/. V=1 shows the commands.

MODE    ?= release
BUILD   := build/$(MODE)
PREFIX  ?= /usr/local
CC      ?= cc
VERSION := 0.1.0

PACKAGES := libsodium libarchive libconfig libzstd libpq libcrypto libcurl expat
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Werror=unused-result \
            -Werror=implicit-function-declaration
STD      := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DMUNIMENT_VERSION='"$(VERSION)"'

ifeq ($(MODE),asan)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(MODE),tsan)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
else ifeq ($(MODE),debug)
OPTIMISE := -O0 -g
else ifeq ($(MODE),cover)
OPTIMISE := -O0 -g --coverage
else ifeq ($(MODE),fuzz)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
else
OPTIMISE := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif

CFLAGS   ?=
LDFLAGS  ?=
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_CFLAGS := $(STD) $(OPTIMISE) $(WARNINGS) -fPIE -pthread -Iinclude $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS := $(OPTIMISE) -pie -pthread -Wl,-z,relro -Wl,--as-needed $(LDFLAGS)
LIBS := $(PKG_LIBS) -ls3

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY_OBJECTS := $(filter-out $(BUILD)/src/main.o $(BUILD)/src/cmd/%,$(OBJECTS))
COMMAND_OBJECTS := $(filter $(BUILD)/src/cmd/%,$(OBJECTS))
ARCHIVE := $(BUILD)/libmuniment.a
PROGRAM := $(BUILD)/muniment

UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)
UNIT_SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/lib/*.c)))

.PHONY: all test check asan tsan valgrind lint bench year demo fuzz model install clean unit-programs fuzz-programs
.SECONDARY:

all: $(PROGRAM)

$(PROGRAM): $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(ARCHIVE): $(LIBRARY_OBJECTS) $(COMMAND_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(UNIT_SUPPORT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(UNIT_SUPPORT) $(ARCHIVE) $(LIBS) -lcmocka

unit-programs: $(UNIT_PROGRAMS)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz.o $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

fuzz-programs: $(FUZZ_PROGRAMS)

# Every unit program and every script of tests/cli, with one closing line for all of them.
test: $(PROGRAM) unit-programs
	$(Q)tests/run-all $(BUILD)

check: test

asan:
	$(Q)$(MAKE) MODE=asan test

tsan:
	$(Q)$(MAKE) MODE=tsan all unit-programs

valgrind:
	$(Q)$(MAKE) MODE=debug all unit-programs
	$(Q)tests/run-valgrind build/debug

# libFuzzer comes with clang. FUZZ_SECONDS (default 10) is what each target gets.
fuzz:
	$(Q)$(MAKE) MODE=fuzz CC=clang fuzz-programs
	$(Q)tests/fuzz/run build/fuzz/fuzz

lint:
	$(Q)tests/lint/run

model:
	$(Q)tests/model/run

bench: $(PROGRAM)
	$(Q)tests/bench/run $(PROGRAM)

# The five promises of tests/year, 400 nights each; `make test` lives through fewer.
year: $(PROGRAM)
	$(Q)YEAR_NIGHTS=$${YEAR_NIGHTS:-400} tests/cli/71-promises.sh

demo: $(PROGRAM)
	$(Q)tests/demo/run $(PROGRAM)

install: $(PROGRAM)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/muniment
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7/

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(UNIT_SUPPORT:.o=.d) $(UNIT_PROGRAMS:$(BUILD)/tests/%=$(BUILD)/tests/unit/%.d)
