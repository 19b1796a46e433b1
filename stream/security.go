package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var (
	errNoCertificate = errors.New("no certificate in the file, want PEM")
	errNoPassword    = errors.New("no password in the file")
)

// security returns the options for TLS and SASL.
func (c Config) security() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if c.TLS {
		conf, err := c.tlsConfig()
		if err != nil {
			return nil, fmt.Errorf("read authorities %s: %w", c.CAFile, err)
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	if c.SASLMechanism != "" {
		mechanism, err := c.sasl()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// tlsConfig verifies the broker against CAFile, or without one against the system's
// authorities. Verification cannot be switched off.
func (c Config) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, err
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errNoCertificate
	}
	return conf, nil
}

// sasl reads the password at each log-in, so that a rotated file takes effect without
// a restart.
func (c Config) sasl() (sasl.Mechanism, error) {
	auth := func(context.Context) (scram.Auth, error) {
		pass, err := c.password()
		if err != nil {
			return scram.Auth{}, fmt.Errorf("read password of %s: %w", c.SASLUsername, err)
		}
		return scram.Auth{User: c.SASLUsername, Pass: pass}, nil
	}
	switch c.SASLMechanism {
	case MechanismPlain:
		return plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			a, err := auth(ctx)
			return plain.Auth{User: a.User, Pass: a.Pass}, err
		}), nil
	case MechanismScramSHA256:
		return scram.Sha256(auth), nil
	case MechanismScramSHA512:
		return scram.Sha512(auth), nil
	}
	return nil, fmt.Errorf("use SASL mechanism %q: unknown", c.SASLMechanism)
}

func (c Config) password() (string, error) {
	if c.SASLPasswordFile == "" {
		return string(c.SASLPassword), nil
	}
	text, err := os.ReadFile(c.SASLPasswordFile)
	if err != nil {
		return "", err
	}
	pass := strings.TrimRight(string(text), "\r\n")
	if pass == "" {
		return "", errNoPassword
	}
	return pass, nil
}
