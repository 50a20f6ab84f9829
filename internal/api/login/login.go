package login

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"parley/internal/agent"
	"parley/internal/agent/roster"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/wall"
)

const (
	passwordMin = 8
	passwordMax = 72      // bytes; bcrypt looks at no more
	bodyMax     = 4 << 10 // bytes of a request to log in
	patience    = 10 * time.Second
	// attemptRate is how often one address may try a password, per second; the original's figure.
	attemptRate = 10
)

// Options of a Desk. Roster and Key are needed.
type Options struct {
	Roster *roster.Roster
	Key    []byte        // signs tokens; at least 32 bytes
	Life   time.Duration // of a token; 0: 7 days, as in the original
	Cost   int           // of bcrypt; 0: 10
}

// Desk checks passwords and tokens. Its methods may be called from any goroutine.
type Desk struct {
	o        Options
	attempts *web.Limiter
	busy     chan struct{} // one hash at a time: calls need the processor, too
	nobody   func() string // hash that a password of nobody's is compared with
}

// New returns a Desk.
func New(o Options) *Desk {
	o.Life = cmp.Or(o.Life, 7*24*time.Hour)
	o.Cost = cmp.Or(o.Cost, bcrypt.DefaultCost)
	return &Desk{o: o, attempts: web.NewLimiter(attemptRate), busy: make(chan struct{}, 1), nobody: sync.OnceValue(func() string {
		hash, _ := bcrypt.GenerateFromPassword([]byte("nobody's"), o.Cost) // fails for a cost only that cannot be
		return string(hash)
	})}
}

// Hash checks a new password and returns what is kept of it.
func (d *Desk) Hash(ctx context.Context, password string) (string, error) {
	if len(password) < passwordMin || len(password) > passwordMax || !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return "", fault.New(fault.Invalid, "INVALID_ARGUMENT", "password: it must be text of %d to %d bytes", passwordMin, passwordMax)
	}
	if err := d.enter(ctx); err != nil {
		return "", err
	}
	defer d.leave()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), d.o.Cost)
	return string(hash), err
}

func (d *Desk) enter(ctx context.Context) error {
	select {
	case d.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Desk) leave() { <-d.busy }

// check returns the agent who has the username and the password. For a name that nobody has it takes as long as for one that somebody has.
func (d *Desk) check(ctx context.Context, username, password string) (who agent.Record, ok bool, err error) {
	who, err = d.o.Roster.ByUsername(ctx, username)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return who, false, err
	}
	known := err == nil && !who.IsDeleted()
	if err := d.enter(ctx); err != nil {
		return who, false, err
	}
	defer d.leave()
	hash := d.nobody()
	if known {
		hash = who.Password
	}
	if len(password) > passwordMax { // nobody has such a one
		password, known = password[:passwordMax], false
	}
	right := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	return who, known && right, nil
}

// Login answers POST /auth/login: 200 with the token, also as a cookie, or as the original does 400 without a body, whatever was wrong.
func (d *Desk) Login(w http.ResponseWriter, r *http.Request) {
	if err := d.attempts.Take(web.AddressKey(r)); err != nil {
		web.Limited(w, r, err, "ip")
		return
	}
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil || json.Unmarshal(body, &in) != nil || in.Username == "" || in.Password == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	who, ok, err := d.check(ctx, in.Username, in.Password)
	switch {
	case err != nil: // not the agent's fault, and not to be taken for a wrong password
		web.Refuse(w, r, err)
		return
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	web.LabelCustomer(r, who.CustomerID)
	token, err := d.token(&who, wall.Now())
	if err != nil {
		web.Refuse(w, r, err)
		return
	}
	if web.SentAsJSON(r) { // a page of another site could log somebody in as somebody else
		http.SetCookie(w, &http.Cookie{
			Name: "token", Value: token, Path: "/", MaxAge: int(d.o.Life / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	out, _ := json.Marshal(map[string]string{"username": who.Username, "token": token}) // strings always marshal
	web.Write(w, http.StatusOK, web.JSON, out)
}
