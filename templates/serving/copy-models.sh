#!/bin/sh
# Copies the released versions of models from an object store to a folder that a model server reads, and then the list
# of releases that the server follows. A version that the store's models.config does not name is never copied or served.
#   copy-models.sh 0        runs until the list and everything that it names is copied, then exits
#   copy-models.sh SECONDS  runs forever, and checks the store at this interval
# STORE: the store as rclone spells it, models:bucket/path. MODELS: the folder. CLASSES: names, separated by blanks.
# A version is copied to a temporary folder once two successive checks have found the same files, then renamed. The list
# is replaced by a rename once everything that it names is there. If the store, its list or a listed version is missing
# or not understood, the last list stays. Versions that are no longer released are removed later, because the server
# may still have them loaded.
set -u

EVERY_S=$1
SETTLE_S=${SETTLE_S:-5}
RETRY_S=${RETRY_S:-10}
KEPT_ROUNDS=${KEPT_ROUNDS:-10}
LIST=models.config
STAGED=$MODELS/.staged
NEXT=$MODELS/.$LIST.next
rounds=0

say() {
  echo "copy-models: $*" >&2
}

pause() {
  # a shell that runs `sleep` in the foreground would not react to a signal
  sleep "$1" &
  wait $!
}

# Parses the list, in the format that eugenie writes only: prints "CLASS VERSION" for each released version. Prints
# nothing and returns a nonzero code if a line is not as expected, a model names no version, or the end is missing.
releases() {
  awk '
    function bad() { failed = 1; exit 1 }
    { sub(/\r$/, "") }
    /^[ \t]*$/ { next }
    /^model_config_list [{]$/ && depth == 0 && !lists { depth = 1; lists = 1; next }
    /^  config [{]$/ && depth == 1 { depth = 2; name = place = ""; count = 0; next }
    /^    name: "[A-Za-z0-9][A-Za-z0-9._-]*"$/ && depth == 2 { split($0, part, "\""); name = part[2]; next }
    /^    base_path: "[^"\\]*"$/ && depth == 2 { split($0, part, "\""); place = part[2]; next }
    /^    model_platform: "tensorflow"$/ && depth == 2 { next }
    /^    model_version_policy [{]$/ && depth == 2 { depth = 3; policy = 1; next }
    /^      specific [{]$/ && depth == 3 && policy { depth = 4; next }
    /^        versions: [1-9][0-9]*$/ && depth == 4 { versions[++count] = $2; next }
    /^    version_labels [{]$/ && depth == 2 { depth = 3; policy = 0; next }
    /^      key: "[^"\\]*"$/ && depth == 3 && !policy { next }
    /^      value: [1-9][0-9]*$/ && depth == 3 && !policy { next }
    /^ *[}]$/ && depth > 0 {
      if (length($0) != 2 * depth - 1) bad()
      if (depth == 2) {
        n = split(place, part, "/")
        if (name == "" || part[n] != name || count == 0 || name in seen) bad()
        seen[name] = 1
        for (i = 1; i <= count; i++) found[++total] = name " " versions[i]
      }
      depth--
      next
    }
    { bad() }
    END {
      if (failed || !lists || depth) exit 1
      for (i = 1; i <= total; i++) print found[i]
    }
  ' "$1"
}

files() {
  rclone lsf --recursive --files-only --format ps "$STORE/$1/$2" | sort
}

copy() {
  seen=$(files "$1" "$2") || return 1
  case $seen in
    *saved_model.pb*) ;;
    *) say "$1/$2 is released, but the store has no saved_model.pb for it"; return 1 ;;
  esac
  pause "$SETTLE_S"
  [ "$seen" = "$(files "$1" "$2")" ] || { say "$1/$2 is still being written"; return 1; }
  rm -rf "$STAGED/$1-$2"
  mkdir -p "$STAGED/$1-$2" "$MODELS/$1" || return 1
  rclone copy "$STORE/$1/$2" "$STAGED/$1-$2" || return 1
  mv "$STAGED/$1-$2" "$MODELS/$1/$2" && say "$1/$2 copied"
}

# Prints the list without the classes of other sites, and with the folder's path instead of the store's.
translated() {
  awk -v classes=" $CLASSES " -v models="$MODELS" '
    { sub(/\r$/, "") }
    /^  config [{]$/ { held = $0; inside = 1; wanted = 0; next }
    inside && /^    name: / { split($0, part, "\""); wanted = index(classes, " " part[2] " "); name = part[2] }
    inside && /^    base_path: / { $0 = "    base_path: \"" models "/" name "\"" }
    inside { held = held "\n" $0; if ($0 == "  }") { inside = 0; if (wanted) print held }; next }
    { print }
  ' "$1"
}

prune() {
  for place in "$MODELS"/*/*; do
    [ -d "$place" ] || continue
    version=${place##*/} name=${place%/*}
    name=${name##*/}
    echo "$1" | grep -qxF "$name $version" || { rm -rf "$place" && say "$name/$version is no longer released, removed"; }
  done
}

follow() {
  mkdir -p "$STAGED" && rm -rf "${STAGED:?}/$LIST" || return 1
  rclone copyto "$STORE/$LIST" "$STAGED/$LIST" || { say "$STORE/$LIST cannot be read"; return 1; }
  # some stores treat a missing file as an empty folder, which is copied without an error
  [ -f "$STAGED/$LIST" ] || {
    say "$STORE has no $LIST: nothing is released there (eugenie export releases the champions)"
    return 1
  }
  wanted=$(releases "$STAGED/$LIST") || {
    say "$STORE/$LIST is not in the format that eugenie writes: it is half written, or names a model without versions"
    return 1
  }
  mine=$(echo "$wanted" | while read -r name version; do
    case " $CLASSES " in *" $name "*) echo "$name $version" ;; esac
  done)
  lacking=$(echo "$mine" | while read -r name version; do
    [ -z "$name" ] || [ -d "$MODELS/$name/$version" ] || echo "$name/$version"
  done)
  for one in $lacking; do
    copy "${one%/*}" "${one##*/}" || { say "still serving the previous list, without $one"; return 1; }
  done
  translated "$STAGED/$LIST" > "$NEXT" || return 1
  if cmp -s "$NEXT" "$MODELS/$LIST"; then
    rounds=$((rounds + 1))
    [ "$rounds" -lt "$KEPT_ROUNDS" ] || prune "$mine"
    return 0
  fi
  rounds=0
  mv "$NEXT" "$MODELS/$LIST" && say "released now:" $(echo "$mine" | sed 's| |/|')
}

trap 'exit 0' TERM INT
while :; do
  if [ "$EVERY_S" = 0 ]; then
    follow && exit 0
    say "nothing to serve yet; checking again in $RETRY_S s"
    pause "$RETRY_S"
  else
    follow
    pause "$EVERY_S"
  fi
done
