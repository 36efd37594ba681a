// Package attest binds results to who published them: a manifest of every file with its SHA-256, signed in minisign's format.
//
// It may import aead.dev/minisign and the standard library. What flows through: Make walks a directory into a Manifest, which is written beside the results with a
// signature; Verify reads both and says which file was changed, is missing or was added. The digests inside results protect against accidents, the signature
// against forgery, as far as the key is kept. `minisign -Vm MANIFEST.json -p KEY.pub` checks the signature as well.
package attest
