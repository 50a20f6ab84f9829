package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"parley/internal/fault"
)

// Stream tells the pages of one capture from all others, and keeps their secret if they have one. It may be copied.
type Stream struct {
	mark   uint64
	secret cipher.AEAD // nil: the pages are open
}

// StreamOf returns the stream of the capture with the id. With a key of at least 32 bytes what is said and what happened is written encrypted (AES-256
// in Galois/Counter Mode, NIST SP 800-38D, under a key of the capture's own by HKDF, RFC 5869); where and how long stays readable. Pages that are open
// are read with a key, too.
func StreamOf(id string, key []byte) Stream {
	sum := sha256.Sum256([]byte(id))
	return Stream{mark: binary.LittleEndian.Uint64(sum[:]), secret: secretOf(id, key)}
}

// Mark is what the pages carry.
func (s Stream) Mark() uint64 { return s.mark }

func secretOf(id string, key []byte) cipher.AEAD {
	if len(key) == 0 {
		return nil
	}
	own, err := hkdf.Key(sha256.New, key, []byte(id), "parley capture pages", 32)
	if err != nil {
		panic(err) // of a length that SHA-256 can give
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		panic(err) // of a key of 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // of AES
	}
	return aead
}

// sealed in the head says that the payload is encrypted.
const sealed = 1

// claimLen is how much of a head an encrypted payload belongs to: all but lengths and checksum, and the flag itself.
const claimLen = 40

// hide encrypts the payload that begins at body; the nonce stands before it. A number may be written again after a failure, so nonces are random.
func (s Stream) hide(dst []byte, start, body int) []byte {
	plain := append([]byte(nil), dst[body:]...)
	nonce := make([]byte, s.secret.NonceSize())
	_, _ = rand.Read(nonce) // never fails, it ends the process instead
	dst = append(dst[:body], nonce...)
	return s.secret.Seal(dst, nonce, plain, dst[start:start+claimLen])
}

// reveal decrypts a payload in its place.
func (s Stream) reveal(head, payload []byte) ([]byte, error) {
	if s.secret == nil {
		return nil, fault.New(fault.Unavailable, "RECORDING_KEY_MISSING", "the recording is encrypted; start the server with the recording.key_file that it was made with")
	}
	if n := s.secret.NonceSize(); len(payload) >= n {
		if open, err := s.secret.Open(payload[n:n], payload[:n], payload[n:], head[:claimLen]); err == nil {
			return open, nil
		}
	}
	return nil, fault.New(fault.Unavailable, "RECORDING_KEY_WRONG", "the recording was encrypted with another key; start the server with the recording.key_file that it was made with")
}
