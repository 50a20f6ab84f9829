// Package links signs what lets somebody without a credential have one file for a while, and reads it again. What it leads to, and whether that is
// still to be had, is for whoever asks. It starts no goroutine.
package links

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"parley/internal/fault"
)

// File is what a link leads to.
type File struct {
	Recording string `json:"r"`
	Kind      string `json:"k"` // of the rendition
	Tag       string `json:"t,omitempty"`
	Format    string `json:"f"`
	Ends      int64  `json:"e"` // Unix seconds
}

const keyBytes = 32

// Signer signs with one key. Its methods may be called from any goroutine.
type Signer struct{ key []byte }

// New returns a signer; without a key of 32 bytes at least, its links end with the process.
func New(key []byte) *Signer {
	if len(key) < keyBytes {
		key = make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails
	}
	return &Signer{key}
}

var text = base64.RawURLEncoding

func (s *Signer) sum(body string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("parley link\n" + body))
	return text.EncodeToString(mac.Sum(nil))
}

// Token returns what stands for the file in a URL.
func (s *Signer) Token(f File) string {
	raw, _ := json.Marshal(f) // strings and a number
	body := text.EncodeToString(raw)
	return body + "." + s.sum(body)
}

// longest is more than any token of ours has.
const longest = 1024

// Open reads a token. One that nobody has signed is LINK_INVALID, one whose time is over is LINK_EXPIRED.
func (s *Signer) Open(token string, now time.Time) (f File, err error) {
	body, sum, ok := strings.Cut(token, ".")
	if !ok || len(token) > longest || !hmac.Equal([]byte(sum), []byte(s.sum(body))) {
		return f, invalid()
	}
	raw, err := text.DecodeString(body)
	if err != nil || json.Unmarshal(raw, &f) != nil {
		return File{}, invalid()
	}
	if now.Unix() >= f.Ends {
		return File{}, fault.New(fault.NotFound, "LINK_EXPIRED", "this link has ended; ask for a new one")
	}
	return f, nil
}

func invalid() error {
	return fault.New(fault.NotFound, "LINK_INVALID", "there is no such link; ask for a new one")
}
