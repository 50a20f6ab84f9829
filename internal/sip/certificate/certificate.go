// Package certificate keeps the certificate of SIP over TLS: it reads it from files, reads it again when they change, and makes one that nobody
// has signed where none is given. It owns the certificate in memory, starts no goroutine (the files are looked at when somebody connects),
// and leaves the sockets to package socket.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// Files is a certificate that comes from two files. Any goroutine may use it.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex // guards what follows
	now    *tls.Certificate
	stamp  string    // of the files that now was read from
	looked time.Time // when they were looked at
}

// Open reads a certificate, with those that vouch for it, and its key, both in PEM. It is read anew when the files change.
func Open(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Get is for tls.Config.GetCertificate. Files that cannot be read leave the certificate as it was.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= lookEvery && stamp(f.cert, f.key) != f.stamp {
		if err := f.read(); err != nil {
			f.log.Error("the new certificate cannot be used; the old one stays", "error", err)
		} else {
			f.log.Info("certificate read again", "file", f.cert, "until", f.now.Leaf.NotAfter)
		}
	}
	return f.now, nil
}

// read takes the files as they are. A stamp from before the reading makes a change during it be seen later.
func (f *Files) read() error {
	f.looked, f.stamp = time.Now(), stamp(f.cert, f.key)
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", f.cert, f.key, err)
	}
	f.now = &c
	return nil
}

func stamp(files ...string) (all string) {
	for _, name := range files {
		if st, err := os.Stat(name); err == nil {
			all += fmt.Sprint(st.ModTime().UnixNano(), " ", st.Size(), " ")
		}
	}
	return all
}

// Roots reads certificates that others are verified with, in PEM; they take the place of the system's.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// renewal is how long a certificate of ours must still be good for when it is taken again.
const renewal = 30 * 24 * time.Hour

// Own returns the files of a certificate that nobody has signed, in the folder, for the address. It makes them when they are not there or
// run out soon.
func Own(dir string, ip netip.Addr) (cert, key string, err error) {
	cert, key = filepath.Join(dir, "sip-tls.crt"), filepath.Join(dir, "sip-tls.key")
	if c, err := tls.LoadX509KeyPair(cert, key); err == nil && time.Until(c.Leaf.NotAfter) > renewal && c.Leaf.VerifyHostname(ip.String()) == nil {
		return cert, key, nil
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return "", "", fmt.Errorf("make a serial number: %w", err)
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "parley"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{ip.AsSlice()}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	if err != nil {
		return "", "", fmt.Errorf("make a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("write a key: %w", err)
	}
	return cert, key, errors.Join(write(key, "PRIVATE KEY", secret), write(cert, "CERTIFICATE", der))
}

func write(file, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return fmt.Errorf("keep a certificate: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("keep a certificate: %w", err)
	}
	return nil
}
