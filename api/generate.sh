#!/bin/sh
# Writes api/gen from api/proto. The output is committed; a test checks that it is what this script writes.
set -eu
cd "$(dirname "$(readlink -f "$0")")"
exec ../bin/node ../node_modules/@bufbuild/buf/bin/buf generate --template buf.gen.yaml "$@"
