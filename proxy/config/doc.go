// Package config is the configuration file of blitz: plain structs, their defaults, a strict reader for YAML and the checks
// that need nothing but the file itself. It imports nothing of ours, opens no sockets and resolves no names, so that
// `blitz validate` gives the same answer on every machine.
//
// What flows through: bytes of a file → syntax tree of goccy/go-yaml → [Config] with every default filled in, or [Errors]
// with a position for each problem. In the gateway package snapshot is the only importer: it turns a Config into what workers
// read. cmd/blitz reads and compares files with it.
//
// The structs are the single source of the documentation. The comments of their fields become docs/CONFIG.md, and the
// tags are read by the decoder, by the reference and by the JSON schema alike:
//
//	yaml      the key
//	required  "true": the key must be there and not empty
//	enum      the words that are accepted
//	later     words, or with `later:"true"` a whole key, that belong to the design but not to this version: refused with a clear message
//	min, max  bounds of a number, a duration or a size, both inclusive
//
//go:generate go run ./internal/gendocs
package config
