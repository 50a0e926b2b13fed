#!/bin/sh
# seal_archive.sh OUTPUT.a LAYER.a... - one archive of one object in which only the public names are global.
#
# -fvisibility=hidden keeps a name out of the dynamic symbol table and no further: in an archive it stays global, and
# a program with a function of the same name could not link. Linking the layers into one relocatable object first
# settles their calls to each other; then nothing needs the hidden names any more and they can become local.
# What GCC left for optimising across files goes: it has names of its own, all of them global still.
set -eu

output=$1
shift

object=${output%.a}.o
rm -f "$output" "$object"
"${LD:-ld}" -r -o "$object" --whole-archive "$@"
"${OBJCOPY:-objcopy}" --localize-hidden -R '.gnu.lto_*' -R '.gnu.debuglto_*' "$object"
"${AR:-ar}" rcs "$output" "$object"
rm -f "$object"
