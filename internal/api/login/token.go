package login

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/wall"
	"parley/internal/wire"
)

// claims are what a token says, as in the original: the agent, and until when as a text.
type claims struct {
	Type   string      `json:"type"`
	Agent  agent.Agent `json:"agent"`
	Expire wire.Time   `json:"expire"`
	Epoch  int         `json:"epoch"` // of the agent's password
	jwt.RegisteredClaims
}

// token returns a signed token (RFC 7519, HS256). It has to fit into a cookie, so that of the agent what can be long is left out.
func (d *Desk) token(who *agent.Record, at time.Time) (string, error) {
	shown := who.Agent
	shown.Detail, shown.TagIDs, shown.Addresses = "", []string{}, []call.Address{}
	c := claims{
		Type: "agent", Agent: shown, Expire: wire.Time(at.UTC().Add(d.o.Life)), Epoch: who.Epoch,
		RegisteredClaims: jwt.RegisteredClaims{IssuedAt: jwt.NewNumericDate(at)},
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, &c).SignedString(d.o.Key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text, nil
}

// IsToken reports whether a credential looks like a token. Access keys do not.
func IsToken(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// Authenticate returns who has got the token, with the permission that they have now; a fault.Unauthenticated when it was not made here, has expired, or
// is void because the agent was deleted or has another password.
func (d *Desk) Authenticate(ctx context.Context, token string) (rest.Caller, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return d.o.Key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	if err != nil || c.Type != "agent" || !wall.Now().Before(time.Time(c.Expire)) {
		return rest.Caller{}, invalidCredentials()
	}
	who, err := d.o.Roster.Record(ctx, c.Agent.ID)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return rest.Caller{}, invalidCredentials()
	case err != nil:
		return rest.Caller{}, fmt.Errorf("look up agent: %w", err)
	case who.IsDeleted(), who.Epoch != c.Epoch:
		return rest.Caller{}, invalidCredentials()
	}
	return rest.Caller{CustomerID: who.CustomerID, AgentID: who.ID, Permission: who.Permission, Expires: time.Time(c.Expire)}, nil
}

func invalidCredentials() error {
	return fault.New(fault.Unauthenticated, "INVALID_CREDENTIALS", "the token is not valid any more, or never was; log in again")
}
