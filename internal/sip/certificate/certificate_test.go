package certificate

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

var local = netip.MustParseAddr("127.0.0.1")

func TestOwnIsKept(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := Own(dir, local)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(cert)
	if _, _, err := Own(dir, local); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(cert); string(again) != string(first) {
		t.Error("a good certificate is made anew")
	}
	if st, _ := os.Stat(key); st.Mode().Perm() != 0o600 {
		t.Errorf("key has mode %v", st.Mode())
	}
	if _, _, err := Own(dir, netip.MustParseAddr("::1")); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(cert); string(again) == string(first) {
		t.Error("the certificate of another address is taken")
	}
	if _, err := Roots(cert); err != nil {
		t.Error(err)
	}
	if _, err := Roots(key); err == nil {
		t.Error("a key is taken for a certificate")
	}
	if _, err := Open(cert, filepath.Join(dir, "none"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error without a key")
	}
}

func TestChangedFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := Own(dir, local)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f, err := Open(cert, key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		serial := func() string {
			c, err := f.Get(nil)
			if err != nil {
				t.Fatal(err)
			}
			return c.Leaf.SerialNumber.String()
		}
		first := serial()
		if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		if serial() != first {
			t.Error("nonsense is taken")
		}
		if _, _, err := Own(dir, local); err != nil {
			t.Fatal(err)
		}
		if serial() != first {
			t.Error("the files are looked at each time")
		}
		time.Sleep(2 * lookEvery)
		if serial() == first {
			t.Error("the new certificate is not taken")
		}
	})
}
