package config

// ClusterTLS encrypts the connections to endpoints. Without further keys their certificates are checked against the authorities of the
// operating system and their names.
type ClusterTLS struct {
	// File with the authorities that are trusted, in PEM. Not given: those of the operating system.
	CA string `yaml:"ca"`
	// Name that is asked for (SNI) and that the certificate must be for. Not given: the host of the endpoint's address.
	ServerName string `yaml:"server_name"`
	// `false` accepts any certificate, and so anybody in between. For tests.
	Verify bool `yaml:"verify"`
	// File with the gateway's own certificate, for endpoints that ask for one, in PEM: the certificate, then intermediate ones.
	Cert string `yaml:"cert"`
	// File with the private key of `cert`, in PEM.
	Key string `yaml:"key"`
	// Oldest version of TLS that is spoken.
	MinVersion string `yaml:"min_version" enum:"1.2,1.3"`
	// Resume earlier sessions, which saves the endpoint most of the work of a handshake.
	SessionReuse bool `yaml:"session_reuse"`
}
