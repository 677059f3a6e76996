#!/usr/bin/env bash
# Installs what muniment needs on Debian 12, from Debian's own packages.
#
#   packaging/deps.sh         to build it and to run `make demo`
#   packaging/deps.sh test    also what `make test`, asan, valgrind, lint, model and bench need
set -eu

build=(gcc libc6-dev make pkg-config
    libsodium-dev libarchive-dev libconfig-dev libzstd-dev libpq-dev libssl-dev
    libcurl4-gnutls-dev libexpat1-dev libs3-dev
    postgresql tzdata)
tests=(libcmocka-dev clang-14 libclang-rt-14-dev clang-format mandoc valgrind spin shellcheck
    acl attr faketime jq time procps restic borgbackup rclone s3cmd
    radosgw ceph-mon ceph-osd ceph-common python3 openssl chromium)

case "${1-}" in
'') packages=("${build[@]}") ;;
test) packages=("${build[@]}" "${tests[@]}") ;;
*)
    echo "usage: packaging/deps.sh [test]" >&2
    exit 2
    ;;
esac

if [ "$(id -u)" != 0 ]; then
    echo "packaging/deps.sh: only root may install packages; try: sudo packaging/deps.sh $*" >&2
    exit 1
fi

# Demo and tests start servers of their own and stop them again. Without this file the package would also
# set up a system-wide server and start it; where an administrator has the file, it stays as it is.
cluster_settings=/etc/postgresql-common/createcluster.conf
if [ ! -e "$cluster_settings" ]; then
    mkdir -p "${cluster_settings%/*}"
    echo 'create_main_cluster = false' >"$cluster_settings"
fi

export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
apt-get update
apt-get install --yes --no-install-recommends -o Dpkg::Options::=--force-confold "${packages[@]}"
