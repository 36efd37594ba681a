// Package tlsconf builds the tls.Config values that tlsrec runs on, from plain options: certificates chosen by server name,
// session tickets under keys that several workers or machines share, client authentication, OCSP staples, and the policy
// for versions, groups and suites.
//
// It reads files, once, when a configuration is built; what it returns is immutable but for the ticket keys, and is used
// by any number of connections at once. To reload certificates, build again and give new connections the new value.
package tlsconf
