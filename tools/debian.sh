#!/bin/sh
# Installs the Debian packages that the tests talk to, those that are not there yet.
set -eu
export DEBIAN_FRONTEND=noninteractive
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
command -v rsyslogd >/dev/null 2>&1 || missing="$missing rsyslog"
[ -e /usr/lib/*/rsyslog/lmnsd_ossl.so ] || missing="$missing rsyslog-openssl"
command -v syslog-ng >/dev/null 2>&1 || [ -x /opt/syslog-ng/usr/sbin/syslog-ng ] ||
  missing="$missing libivykis0 libnet1 libwrap0 libjson-c5 libpcre3"
[ -n "$missing" ] || exit 0
apt-get update -qq
# shellcheck disable=SC2086  the names are words of this script
apt-get install -y -qq --no-install-recommends $missing >/dev/null
if ! command -v syslog-ng >/dev/null 2>&1 && [ ! -x /opt/syslog-ng/usr/sbin/syslog-ng ]; then
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -qq syslog-ng-core && dpkg -x syslog-ng-core_*.deb /opt/syslog-ng)
  rm -rf "$folder"
fi
