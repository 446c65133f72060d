package main

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"shop/internal/messages"
)

// The kinds of mail. Others find them in the table mails.
const (
	orderConfirmation = "order-confirmation"
	paymentReceipt    = "payment-receipt"
)

const (
	// sender is whom mails are from. The domain is one that nobody has: a gateway puts the shop's in its place.
	sender = "Shop <no-reply@shop.example>"
	domain = "shop.example"
	// mostSubject is how long a subject may be, in characters.
	mostSubject = 100
)

// compose writes a message's mail as RFC 5322 has it. The same message gives the same mail to the byte.
func compose(m messages.Message) (kind string, mail []byte) {
	var subject, text string
	switch m.Kind {
	case messages.OrderPlaced:
		kind = orderConfirmation
		subject, text = "Your order is confirmed: "+contents(m.Order.Lines), confirmation(m.Order)
	case messages.PaymentReceipt:
		kind = paymentReceipt
		subject, text = fmt.Sprintf("Your payment of %s", m.Order.Total), receipt(m.Order)
	}
	return kind, format(subject, text, kind, m)
}

// contents names the first thing of an order, and how many others there are.
func contents(lines []messages.Line) string {
	if len(lines) == 1 {
		return oneLine(lines[0].Name)
	}
	return fmt.Sprintf("%s and %d more", oneLine(lines[0].Name), len(lines)-1)
}

func confirmation(o messages.Order) string {
	var text strings.Builder
	fmt.Fprint(&text, "Hello,\n\nthank you for your order. It is confirmed, and we are getting it ready.\n\n")
	for _, l := range o.Lines {
		fmt.Fprintf(&text, "%4d x %s, %s each\n", l.Quantity, oneLine(l.Name), l.Price)
	}
	fmt.Fprintf(&text, "\nTotal: %s\nOrder: %s\n\nThe shop\n", o.Total, o.ID)
	return text.String()
}

func receipt(o messages.Order) string {
	return fmt.Sprintf("Hello,\n\nwe have received your payment of %s.\n\nOrder: %s\n\nThe shop\n", o.Total, o.ID)
}

// oneLine is a text without line breaks and other white space than single spaces.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func format(subject, text, kind string, m messages.Message) []byte {
	var mail bytes.Buffer
	for _, header := range []string{
		"Date: " + m.At.UTC().Format(time.RFC1123Z),
		"From: " + sender,
		"To: " + m.Order.Email, // one that IsEmail took: it needs no quoting and cannot begin another header
		"Subject: " + encode(subject),
		// The same for a mail that is sent again: who receives mail drops the second.
		fmt.Sprintf("Message-ID: <%s.%s@%s>", kind, m.Order.ID, domain),
		"Auto-Submitted: auto-generated", // nobody's holiday answers it: RFC 3834
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: quoted-printable",
	} {
		mail.WriteString(header + "\r\n")
	}
	mail.WriteString("\r\n")
	body := quotedprintable.NewWriter(&mail)
	body.Write([]byte(text)) //nolint:errcheck // into memory
	body.Close()
	return mail.Bytes()
}

// encode makes a text fit for a header: what is not printable ASCII becomes encoded words, each on a line of its own, because
// RFC 2047 allows lines with such words 76 characters.
func encode(text string) string {
	if letters := []rune(text); len(letters) > mostSubject {
		text = string(letters[:mostSubject-1]) + "…"
	}
	encoded := mime.QEncoding.Encode("utf-8", text)
	if encoded == text {
		return text
	}
	return "\r\n " + strings.ReplaceAll(encoded, "?= =?", "?=\r\n =?")
}
