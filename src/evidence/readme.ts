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
  data/evidence/         what the steps saw, by kind
  data/logs/             what the steps wrote

This bundle records a test. It does not assess compliance with any standard.


HOW TO CHECK IT WITHOUT MUSTER

Go into this folder and run the indented commands in a POSIX shell with GNU coreutils.
A command that prints nothing and exits 0 found nothing wrong.

1. No file in data/ was changed, added, removed or renamed since the bundle was written.

    find data -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | diff - manifest-sha256.txt
    test -z "$(find . ! -type f ! -type d)"

2. Nor was any file beside it.

    sha256sum --check --strict --quiet tagmanifest-sha256.txt
    test "$(ls -A | grep -vx sig | LC_ALL=C sort | tr '\\n' ' ')" = 'README.txt bag-info.txt bagit.txt data manifest-sha256.txt tagmanifest-sha256.txt '

3. No line of the journal was changed, added, removed or moved: each holds the hash of the one before it.

    prev=0000000000000000000000000000000000000000000000000000000000000000
    while IFS= read -r line; do case $line in *'"prev":"'$prev'"'*) prev=$(printf %s "$line" | sha256sum | cut -c1-64) ;; *) echo "broken at: $line"; exit 1 ;; esac; done < data/events.jsonl

4. Runbook and environment are those that were planned, and the plan is the one that was run.

    grep -q "$(sha256sum < data/runbook.yaml | cut -c1-64)" data/plan.json
    grep -q "$(sha256sum < data/environment.yaml | cut -c1-64)" data/plan.json
    head -n 1 data/events.jsonl | grep -q "\\"plan\\":$(grep -o '"digest":"[0-9a-f]*"' data/plan.json | tail -n 1 | cut -d: -f2)"

5. The seal, if sig/seal.sig is there. ALLOWED_SIGNERS is a file that you got from somebody you trust,
   not from this folder; SIGNER is the identity in it that you expect.

    test ! -e sig/seal.sig || ssh-keygen -Y verify -f "$ALLOWED_SIGNERS" -I "$SIGNER" -n muster-drill -s sig/seal.sig < tagmanifest-sha256.txt

Without a seal all this proves consistency only: whoever rewrites the whole bundle can make it
consistent again. Keep a copy, or the hash of tagmanifest-sha256.txt, where the operator cannot write.


HOW TO CHECK IT WITH MUSTER

This does the same, and derives the verdict, the evidence files and the report again from the journal.

  npx muster verify .
`;
}
