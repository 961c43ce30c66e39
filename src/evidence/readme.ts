/** README.txt of a bundle: how a third party checks it without Muster. Indented lines are commands, to be run as they are. */
export function readme(run: string, version: string): string {
  return `EVIDENCE OF A DISASTER-RECOVERY DRILL

Run:      ${run}
Made by:  Muster ${version}
Form:     a BagIt bag (RFC 8493) with SHA-256 manifests

Open data/report.html in a browser to read what happened.

  data/drill.json        the verdict with its reasons, for machines
  data/events.jsonl      the journal: every event of the run, each naming the hash of the one before it
  data/plan.json         what was planned, with the digest that the journal names
  data/runbook.yaml      the runbook, and data/environment.yaml where it ran
  data/evidence/         what was seen, by kind; data/evidence.schema.json is its JSON Schema
  data/logs/             what the steps wrote
  sig/                   the seal, statements in in-toto's form, a timestamp, approvals: whichever there are

This bundle records a test. It does not assess compliance with any standard.


HOW TO CHECK IT WITHOUT MUSTER

Go into this folder and run the indented commands in a POSIX shell with GNU coreutils.
A command that prints nothing and exits 0 found nothing wrong; the exceptions say what they print.

1. No file in data/ was changed, added, removed or renamed since the bundle was written.

    find data -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | diff - manifest-sha256.txt
    test -z "$(find . ! -type f ! -type d)"

2. Nor was any file beside it.

    sha256sum --check --strict --quiet tagmanifest-sha256.txt
    test "$(ls -A | grep -vx sig | LC_ALL=C sort | tr '\\n' ' ')" = 'README.txt bag-info.txt bagit.txt data manifest-sha256.txt tagmanifest-sha256.txt '
    test -z "$(ls -A sig 2> /dev/null | grep -vxE 'seal\\.sig|drill\\.intoto\\.jsonl|seal\\.tsr|approval-[A-Za-z0-9._@+-]+\\.json(\\.sig)?')"

3. No line of the journal was changed, added, removed or moved: each holds the hash of the one before it.

    prev=0000000000000000000000000000000000000000000000000000000000000000
    while IFS= read -r line; do case $line in *'"prev":"'$prev'"'*) prev=$(printf %s "$line" | sha256sum | cut -c1-64) ;; *) echo "broken at: $line"; exit 1 ;; esac; done < data/events.jsonl

4. Runbook and environment are those that were planned, and the plan is the one that was run.

    grep -q "$(sha256sum < data/runbook.yaml | cut -c1-64)" data/plan.json
    grep -q "$(sha256sum < data/environment.yaml | cut -c1-64)" data/plan.json
    head -n 1 data/events.jsonl | grep -q "\\"plan\\":$(grep -o '"digest":"[0-9a-f]*"' data/plan.json | tail -n 1 | cut -d: -f2)"

5. The seal: who vouches for the bundle. Set ALLOWED_SIGNERS to a file that you got from somebody you
   trust, not from this folder, and SIGNER to the identity in it that you expect. The first command
   speaks up when there is no seal, the second prints "Good" when there is a good one (OpenSSH 8.2 or later).

    test -e sig/seal.sig || echo 'UNSIGNED: nobody vouches for this bundle'
    test ! -e sig/seal.sig || ssh-keygen -Y verify -f "$ALLOWED_SIGNERS" -I "$SIGNER" -n muster-drill -s sig/seal.sig < tagmanifest-sha256.txt

6. The in-toto statements about it: two DSSE envelopes, signed with the key of the seal (OpenSSL 3).
   They hold the hash of the seal, so that its file is shown to be unchanged to the last byte.

    if test -e sig/seal.sig; then (
      tmp=$(mktemp -d); trap 'rm -r "$tmp"' EXIT
      sed -n 's/^{"payload":"\\([A-Za-z0-9+/=]*\\)","payloadType":"application\\/vnd.in-toto+json","signatures":\\[{"keyid":"\\(SHA256:[A-Za-z0-9+/]*\\)","sig":"\\([A-Za-z0-9+/=]*\\)"}\\]}$/\\1 \\2 \\3/p' sig/drill.intoto.jsonl > "$tmp/lines"
      while read -r payload id sig; do printf '{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"%s","sig":"%s"}]}\\n' "$payload" "$id" "$sig"; done < "$tmp/lines" | cmp - sig/drill.intoto.jsonl || exit 1
      key=$(awk -v who="$SIGNER" '$1 == who { for (i = 2; i < NF; i++) if ($i == "ssh-ed25519" || $i == "ecdsa-sha2-nistp256") { print $i, $(i + 1); exit } }' "$ALLOWED_SIGNERS")
      echo "$key" > "$tmp/key.pub"; key=\${key#* }
      case $(cat "$tmp/key.pub") in
        ssh-ed25519*) (printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; echo "$key" | base64 -d | tail -c 32) > "$tmp/key.der" ;;
        ecdsa*) (printf '\\060\\131\\060\\023\\006\\007\\052\\206\\110\\316\\075\\002\\001\\006\\010\\052\\206\\110\\316\\075\\003\\001\\007\\003\\102\\000'; echo "$key" | base64 -d | tail -c 65) > "$tmp/key.der" ;;
        *) echo 'the signer has no such key'; exit 1 ;;
      esac
      test "$(wc -l < "$tmp/lines")" -eq 2 || exit 1
      while read -r payload id sig; do
        test "$id" = "$(ssh-keygen -l -f "$tmp/key.pub" | cut -d' ' -f2)" || exit 1
        echo "$payload" | base64 -d > "$tmp/payload"; echo "$sig" | base64 -d > "$tmp/sig"
        (printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < "$tmp/payload")"; cat "$tmp/payload") > "$tmp/signed"
        openssl pkeyutl -verify -pubin -keyform DER -inkey "$tmp/key.der" -rawin -in "$tmp/signed" -sigfile "$tmp/sig" > "$tmp/said" || { cat "$tmp/said"; exit 1; }
        test "$(base64 -w0 "$tmp/sig") $(base64 -w0 "$tmp/payload")" = "$sig $payload" || exit 1
        grep -q "\\"subject\\":\\[{\\"digest\\":{\\"sha256\\":\\"$(sha256sum < tagmanifest-sha256.txt | cut -c1-64)\\"},\\"name\\":\\"tagmanifest-sha256.txt\\"}\\]" "$tmp/payload" || exit 1
        cat "$tmp/payload" >> "$tmp/statements"; echo >> "$tmp/statements"
      done < "$tmp/lines" || exit 1
      head -n 1 "$tmp/statements" | grep -q "\\"seal\\":\\"$(sha256sum < sig/seal.sig | cut -c1-64)\\"" || exit 1
      token=null; test ! -e sig/seal.tsr || token="\\"$(sha256sum < sig/seal.tsr | cut -c1-64)\\""
      head -n 1 "$tmp/statements" | grep -q "\\"timestamp\\":$token" || exit 1
    ) || { echo 'the statements are not those of the seal'; exit 1; } fi

7. The timestamp over the seal, if sig/seal.tsr is there. TIMESTAMP_CA is the root certificate of
   the authority (PEM), from somebody you trust; the command prints "Verification: OK". When the authority's
   certificate has expired since, add -attime and the time of the token in seconds since 1970.

    test ! -e sig/seal.tsr || openssl ts -verify -in sig/seal.tsr -data sig/seal.sig -CAfile "$TIMESTAMP_CA"

8. Approvals of the plan and reviews of this bundle, sig/approval-*.json: signed each for itself, by people whom
   ALLOWED_SIGNERS names too. Each names the digest of the plan or of tagmanifest-sha256.txt; "Good" is printed for each.

    for file in sig/approval-*.json; do test ! -e "$file" || (grep -qF -e "$(sha256sum < tagmanifest-sha256.txt | cut -c1-64)" -e "$(grep -o '"digest":"[0-9a-f]*"' data/plan.json | tail -n 1 | cut -d '"' -f 4)" "$file" && who=$(ssh-keygen -Y find-principals -f "$ALLOWED_SIGNERS" -s "$file.sig" | head -n 1) && ssh-keygen -Y verify -f "$ALLOWED_SIGNERS" -I "$who" -n muster-approval -s "$file.sig" < "$file") || { echo "$file is not signed by any of the allowed signers"; exit 1; }; done

Without a seal all this proves consistency only: whoever rewrites the whole bundle can make it
consistent again. Keep a copy, or the hash of tagmanifest-sha256.txt, where the operator cannot write.


HOW TO CHECK IT WITH MUSTER

With the path of this folder for BUNDLE (in a checkout of Muster: npx muster). This does the same, and derives the verdict,
the evidence files and the report again from the journal.

  muster verify BUNDLE --allowed-signers "$ALLOWED_SIGNERS"
`;
}
