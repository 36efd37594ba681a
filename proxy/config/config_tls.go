package config

// ListenerTLS is TLS on a listener's port.
type ListenerTLS struct {
	// Certificates with their keys. The server name that a client asks for chooses: an exact name before a wildcard. The first one is for clients
	// that ask for no name or for an unknown one. Several for one name may differ in the kind of key.
	Certificates []Certificate `yaml:"certificates"`
	// `true`: make a certificate for localhost and this machine's name, which nobody trusts, at the first TLS connection. For trying things out.
	SelfSigned bool `yaml:"self_signed"`
	// `true`: refuse clients that ask for no server name, or for one that no certificate has.
	StrictSNI bool `yaml:"strict_sni"`
	// Oldest version of TLS.
	MinVersion string `yaml:"min_version" enum:"1.2,1.3"`
	// Cipher suites of TLS 1.2; the three of TLS 1.3 are always on. Not given: all of these.
	CipherSuites []string `yaml:"cipher_suites" enum:"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"`
	// Groups for the key agreement. Not given: all but P-521. The order has no effect.
	Curves []string `yaml:"curves" enum:"X25519MLKEM768,X25519,P-256,P-384,P-521"`
	// Certificates of clients.
	ClientAuth ClientAuth `yaml:"client_auth"`
	// Resumption of sessions.
	Tickets Tickets `yaml:"tickets"`
	// Connections on this port that do not begin with TLS: `allow` serves them, `refuse` answers 400 and closes, `redirect` answers 308 with the same
	// address and https.
	Plaintext string `yaml:"plaintext" enum:"allow,refuse,redirect"`
	// How long a handshake may take, its turn in the queue included.
	HandshakeTimeout Duration `yaml:"handshake_timeout" min:"1ms" max:"1h"`
	// Handshakes of one worker under way at the same time; further ones wait. 0 is no limit.
	MaxHandshakes int `yaml:"max_handshakes" min:"0" max:"1000000"`
	// Handshakes of one worker that may wait for their turn; further connections are closed. 0 is no limit.
	MaxWaitingHandshakes int `yaml:"max_waiting_handshakes" min:"0" max:"1000000"`
}

// Certificate names the files of one identity. They are read again at every reload; connections that are there keep what they have.
type Certificate struct {
	// File in PEM: the certificate, then the intermediates.
	Cert string `yaml:"cert" required:"true"`
	// File in PEM with the private key.
	Key string `yaml:"key" required:"true"`
	// File with an OCSP response in DER to staple. One that is unfit is left out, with a warning.
	OCSP string `yaml:"ocsp"`
}

// ClientAuth is about certificates of clients.
type ClientAuth struct {
	// `none` does not ask for one, `request` takes a good one or none, `require` refuses clients without a good one.
	Mode string `yaml:"mode" enum:"none,request,require"`
	// File in PEM with the authorities whose certificates are good. Needed unless the mode is `none`.
	CA string `yaml:"ca"`
	// Tell endpoints who the client is, by X-Forwarded-Client-Cert. From clients that field is never believed.
	Forward bool `yaml:"forward"`
}

// Tickets is about resuming sessions, which spares most of a handshake.
type Tickets struct {
	// `false`: every handshake is a full one.
	Enabled bool `yaml:"enabled"`
	// File with the keys, 32 bytes each in hexadecimal or base64, one a line: the first seals, all open. For several gateways that shall resume each
	// other's sessions. Not given: random keys, all workers' together.
	KeyFile string `yaml:"key_file"`
	// How often a random key is replaced. Three are kept.
	Rotate Duration `yaml:"rotate" min:"1m" max:"168h"`
}
