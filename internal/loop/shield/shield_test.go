package shield

import (
	"bytes"
	"encoding/binary"
	"testing"

	"parley/internal/sdp"
)

// pair are the two ends of a stream.
func pair(t *testing.T, suite string) (a, b *Shield) {
	t.Helper()
	one, two := bytes.Repeat([]byte{1}, 44), bytes.Repeat([]byte{2}, 44)
	n := map[string]int{"AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}[suite]
	if n == 0 {
		n = 30
	}
	a, err := New(&sdp.SRTP{Suite: suite, Local: one[:n], Remote: two[:n]}, 1500)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = New(&sdp.SRTP{Suite: suite, Local: two[:n], Remote: one[:n]}, 1500); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func packet(seq uint16) []byte {
	p := make([]byte, 12+160)
	p[0], p[1] = 0x80, 0
	binary.BigEndian.PutUint16(p[2:], seq)
	binary.BigEndian.PutUint32(p[8:], 4711)
	for i := range 160 {
		p[12+i] = byte(i)
	}
	return p
}

func TestSealAndOpen(t *testing.T) {
	for suite := range profiles {
		a, b := pair(t, suite)
		for i := range 70000 { // the sequence number comes round
			if i%1000 != 0 && i < 65000 {
				a.Seal(packet(uint16(i)))
				continue
			}
			sealed := bytes.Clone(a.Seal(packet(uint16(i))))
			if bytes.Contains(sealed, packet(0)[12:]) {
				t.Fatalf("%s: the sound is readable", suite)
			}
			opened, ok := b.Open(sealed)
			if !ok || !bytes.Equal(opened, packet(uint16(i))) {
				t.Fatalf("%s: packet %d opened: %v", suite, i, ok)
			}
			if _, again := b.Open(sealed); again {
				t.Fatalf("%s: a repeated packet was taken", suite)
			}
		}
		forged := bytes.Clone(a.Seal(packet(5000)))
		forged[20] ^= 1
		if _, ok := b.Open(forged); ok {
			t.Errorf("%s: a forged packet was taken", suite)
		}
		if _, ok := b.Open(packet(5001)); ok {
			t.Errorf("%s: an unprotected packet was taken", suite)
		}
		for _, short := range [][]byte{nil, {0x80}, packet(1)[:12], packet(1)[:15]} {
			if _, ok := b.Open(short); ok {
				t.Errorf("%s: %d bytes were taken", suite, len(short))
			}
			if _, ok := b.OpenControl(short); ok {
				t.Errorf("%s: %d bytes of RTCP were taken", suite, len(short))
			}
		}
		report := []byte{0x80, 201, 0, 1, 0, 0, 0x12, 0x67}
		control := bytes.Clone(a.SealControl(report))
		if opened, ok := b.OpenControl(control); !ok || !bytes.Equal(opened, report) {
			t.Errorf("%s: RTCP: %v %x", suite, ok, opened)
		}
	}
	if _, err := New(&sdp.SRTP{Suite: "none"}, 1500); err == nil {
		t.Error("an unknown suite was taken")
	}
}

func TestNoAllocations(t *testing.T) {
	for suite := range profiles {
		a, b := pair(t, suite)
		seq := uint16(0)
		p := packet(0)
		run := func() {
			seq++
			binary.BigEndian.PutUint16(p[2:], seq)
			if _, ok := b.Open(a.Seal(p)); !ok {
				t.Fatal("not opened")
			}
		}
		run()
		if n := testing.AllocsPerRun(200, run); n > pooled {
			t.Errorf("%s: %v allocations for a packet sealed and opened", suite, n)
		}
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	key := bytes.Repeat([]byte{1}, 30)
	s, err := New(&sdp.SRTP{Suite: "AES_CM_128_HMAC_SHA1_80", Local: key, Remote: key}, 1500)
	if err != nil {
		b.Fatal(err)
	}
	p := packet(0)
	for i := range b.N {
		binary.BigEndian.PutUint16(p[2:], uint16(i))
		s.Open(s.Seal(p))
	}
}
