#!/bin/sh
# Copies the versions of models from an object store to a folder that a model server watches, whole or not at all.
#   copy-models.sh 0        until each class has a version, then ends
#   copy-models.sh SECONDS  for ever, and looks at the store again after so many seconds
# STORE: the store as rclone spells it, models:bucket/path. MODELS: the folder. CLASSES: names, with blanks between.
# A version is copied beside its place and renamed, once two looks at it have shown the same files. Versions that the
# store has no more are removed; a store that shows none at all is not believed.
set -u

EVERY_S=$1
SETTLE_S=${SETTLE_S:-5}
RETRY_S=${RETRY_S:-10}
STAGED=$MODELS/.staged

say() {
  echo "copy-models: $*" >&2
}

pause() {
  # a shell that waits for `sleep` itself would not hear that it is to end
  sleep "$1" &
  wait $!
}

versions() {
  rclone lsf --dirs-only "$STORE/$1" | sed -n 's|^\([1-9][0-9]*\)/$|\1|p'
}

files() {
  rclone lsf --recursive --files-only --format ps "$STORE/$1/$2" | sort
}

copy() {
  seen=$(files "$1" "$2") || return 1
  case $seen in
    *saved_model.pb*) ;;
    *) say "$1/$2 has no saved_model.pb yet"; return 1 ;;
  esac
  pause "$SETTLE_S"
  [ "$seen" = "$(files "$1" "$2")" ] || { say "$1/$2 is still being written"; return 1; }
  rm -rf "$STAGED/$1-$2"
  mkdir -p "$STAGED/$1-$2" "$MODELS/$1" || return 1
  rclone copy "$STORE/$1/$2" "$STAGED/$1-$2" || return 1
  mv "$STAGED/$1-$2" "$MODELS/$1/$2" && say "$1/$2 is there"
}

follow() {
  there=$(versions "$1") || { say "$STORE/$1 does not answer"; return 1; }
  [ -n "$there" ] || { say "$STORE/$1 shows no version"; return 1; }
  for version in $there; do
    [ -d "$MODELS/$1/$version" ] || copy "$1" "$version"
  done
  for place in "$MODELS/$1"/*; do
    [ -d "$place" ] || continue
    version=${place##*/}
    echo "$there" | grep -qx "$version" || { rm -rf "$place" && say "$1/$version is gone"; }
  done
}

lacking() {
  for name in $CLASSES; do
    ls -d "$MODELS/$name"/[1-9]* >/dev/null 2>&1 || { echo "$name"; return; }
  done
}

trap 'exit 0' TERM INT
while :; do
  for name in $CLASSES; do
    follow "$name"
  done
  if [ "$EVERY_S" = 0 ]; then
    name=$(lacking)
    [ -n "$name" ] || exit 0
    say "no version of $name yet; looking again in $RETRY_S s"
    pause "$RETRY_S"
  else
    pause "$EVERY_S"
  fi
done
