#!/usr/bin/env bash
# Makes the folder that mdBook builds the site from: docs/site.sh TARGET.
#
# On GitHub links lead anywhere in the repository and a folder is entered by its README. On the site a link out of docs/
# leads to GitHub, and the pages of a folder stand under its README.
set -euo pipefail
cd "$(dirname "$0")"
target="$1"

repository="$(sed -n 's/^git-repository-url = "\(.*\)"$/\1/p' book.toml)"

rm -rf "$target"
mkdir -p "$target"
cp -R . "$target/pages"
mv "$target/pages/book.toml" "$target"
cd "$target/pages"
rm site.sh ./*.yaml

find . -name '*.md' | while read -r page; do
  # As many `../` as lead from the page out of docs/.
  up="$(dirname "${page#./}/x" | sed -e 's#[^/]*#..#g')"
  sed -i.before -E "s#\]\(${up//./\\.}/#](${repository}/blob/main/#g" "$page"
  rm "$page.before"
done

# The line of a folder's README is followed by one for each other page of the folder.
index=README.md
while IFS= read -r line; do
  printf '%s\n' "$line"
  folder="$(sed -n 's#^- \[.*\](\(.*\)/'"$index"')$#\1#p' <<<"$line")"
  [ -n "$folder" ] || continue
  for page in "$folder"/*.md; do
    [ "$page" = "$folder/$index" ] && continue
    title="$(sed -n 's/^# //p' "$page" | head -n 1 | tr -d '\140')"
    printf '  - [%s](%s)\n' "$title" "$page"
  done
done <SUMMARY.md >SUMMARY.new
mv SUMMARY.new SUMMARY.md
