package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"shop/internal/secret"
)

// tokens open orders: whoever has an order's token may read it.
//
// A token is the HMAC of the order's id by the secret order-signing, so none is stored. The secret is rotated each month, and a
// token counts as long as its secret is the current or the previous one: it lapses with the second rotation after it was made,
// one to two months later.
type tokens struct{ secret *secret.Secret }

// make returns the token of an order, by the current secret.
func (t *tokens) make(ctx context.Context, id string) (string, error) {
	values, err := t.secret.Values(ctx)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sign(values.Current, id)), nil
}

// opens tells whether it is the order's token.
func (t *tokens) opens(ctx context.Context, token []byte, id string) (bool, error) {
	values, err := t.secret.Values(ctx)
	if err != nil {
		return false, err
	}
	if fits(values, token, id) {
		return true, nil
	}
	// Another task may have learned of a rotation before this one.
	if values, err = t.secret.Reread(ctx); err != nil {
		return false, err
	}
	return fits(values, token, id), nil
}

// parse returns the bytes of a token, or false if it is none.
func parse(token string) ([]byte, bool) {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return sum, err == nil && len(sum) == sha256.Size
}

func fits(values secret.Values, token []byte, id string) bool {
	if hmac.Equal(token, sign(values.Current, id)) {
		return true
	}
	return values.Previous != "" && hmac.Equal(token, sign(values.Previous, id))
}

func sign(key, id string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(id))
	return mac.Sum(nil)
}
