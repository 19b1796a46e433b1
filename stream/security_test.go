package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	bigint "math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
)

// selfSigned gives a certificate for 127.0.0.1 and, as PEM, the authority that
// vouches for it: itself.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: bigint.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(authority)
}

// ping waits without limit if it expects an answer, else for a moment.
func ping(t *testing.T, cfg Config, ok bool) error {
	t.Helper()
	cl, err := NewClient(cfg, (&logBuffer{}).logger())
	if err != nil {
		return err
	}
	defer cl.Close()
	if ok {
		return Ping(machine.Context(t, "an answer"), cl, cfg)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	return Ping(ctx, cl, cfg)
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	cert, authority := selfSigned(t)
	_, stranger := selfSigned(t)
	brokers := kafkatest.Fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	for claim, tc := range map[string]struct {
		ca string
		ok bool
	}{
		"the broker's authority is trusted":   {authority, true},
		"another authority is not":            {stranger, false},
		"nor is one that the system does not": {"", false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Brokers: brokers, TLS: true}
			if tc.ca != "" {
				cfg.CAFile = file(t, tc.ca)
			}
			if err := ping(t, cfg, tc.ok); (err == nil) != tc.ok {
				t.Errorf("Ping = %v, want success %v", err, tc.ok)
			}
		})
	}
}

func TestSASL(t *testing.T) {
	t.Parallel()
	const user, password = "poller", "hunter22"
	var opts []kfake.Opt
	for _, m := range []string{MechanismPlain, MechanismScramSHA256, MechanismScramSHA512} {
		opts = append(opts, kfake.Superuser(m, user, password))
	}
	brokers := kafkatest.Fake(t, append(opts, kfake.EnableSASL())...)
	for _, mechanism := range []string{MechanismPlain, MechanismScramSHA256, MechanismScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			right := Config{Brokers: brokers, SASLMechanism: mechanism, SASLUsername: user, SASLPassword: password}
			if err := ping(t, right, true); err != nil {
				t.Errorf("with the right password: %v", err)
			}
			fromFile := right
			fromFile.SASLPassword, fromFile.SASLPasswordFile = "", file(t, password+"\n")
			if err := ping(t, fromFile, true); err != nil {
				t.Errorf("with the password in a file: %v", err)
			}
			wrong := right
			wrong.SASLPassword = "hunter23"
			err := ping(t, wrong, false)
			if err == nil {
				t.Error("a wrong password was let in")
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
	if err := ping(t, Config{Brokers: brokers}, false); err == nil {
		t.Error("nobody was let in")
	}
}

func TestAPasswordFileIsReadAtEachLogIn(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Fake(t, kfake.EnableSASL(), kfake.Superuser(MechanismPlain, "poller", "second"))
	path := file(t, "first")
	cfg := Config{Brokers: brokers, SASLMechanism: MechanismPlain, SASLUsername: "poller", SASLPasswordFile: path}
	cl, err := NewClient(cfg, (&logBuffer{}).logger())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	first, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := Ping(first, cl, cfg); err == nil {
		t.Fatal("a wrong password was let in")
	}
	if err := os.WriteFile(path, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Ping(machine.Context(t, "an answer"), cl, cfg); err != nil {
		t.Errorf("after the file was rotated: %v", err)
	}
}

func TestNewClientNamesAFileThatItCannotRead(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"authorities that are not there": {Config{Brokers: []string{"a:1"}, TLS: true, CAFile: "/none"}, "/none"},
		"an unknown mechanism":           {Config{Brokers: []string{"a:1"}, SASLMechanism: "GSSAPI"}, "GSSAPI"},
	} {
		if _, err := NewClient(tc.cfg, (&logBuffer{}).logger()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: NewClient = %v, want %s in it", claim, err, tc.want)
		}
	}
}

func TestAPasswordSentUnencryptedIsLogged(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	cfg := Config{Brokers: []string{"127.0.0.1:1"}, SASLMechanism: MechanismPlain, SASLUsername: "u", SASLPassword: "hunter22"}
	cl, err := NewClient(cfg, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	cl.Close()
	if !strings.Contains(log.String(), "sent unencrypted") {
		t.Errorf("no warning:\n%s", log)
	}
}
