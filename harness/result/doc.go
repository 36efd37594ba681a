// Package result is the published record of one scenario on one machine: schema, writer, and a reader that refuses what is corrupt, edited
// by hand or from a future version.
//
// It may import internal/hdr, internal/runfmt and harness/machine. What flows through: the laboratory fills in a Result and writes it with its interval
// logs as
//
//	results/<date>/<machine>/<scenario>/result.json
//	results/<date>/<machine>/<scenario>/<target>-<phase>.hlog.gz
//
// and the report reads them back. The JSON is an envelope: schema, a SHA-256 over the canonical form of the result, the result. The result in
// turn holds the SHA-256 of each interval log. It protects against accidents and quiet edits, not against forgery.
package result
