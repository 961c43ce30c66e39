/** SSHSIG over tagmanifest-sha256.txt. */
export const sealFile = 'sig/seal.sig';
/** Two in-toto statements in DSSE envelopes, one a line, by the key of the seal. */
export const statementsFile = 'sig/drill.intoto.jsonl';
/** An RFC 3161 token over `sealFile`, if an authority was asked. */
export const timestampFile = 'sig/seal.tsr';
