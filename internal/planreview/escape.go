package planreview

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is how many characters of a value are shown.
const most = 240

// code shows untrusted text literally. Inside of <code> GitHub looks for no mentions, issues or links; whatever could be
// Markdown or HTML is a numeric entity, which CommonMark never takes for structure.
// https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
func code(s string) string { return "<code>" + escape(clip(s, most)) + "</code>" }

// literal are the characters that mean nothing to Markdown within a line.
const literal = " -/,=()%+;.:\"'?{}^"

func escape(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case r == '@':
			// No name follows an @ that a zero-width space follows, wherever the text ends up.
			b.WriteString("&#64;&#8203;")
		case r == ':' && i+1 < len(runes) && runes[i+1] == '/', r == '.' && i > 0 && (runes[i-1] == 'w' || runes[i-1] == 'W'):
			fmt.Fprintf(&b, "&#%d;", r) // else a link
		case r == '_' && i > 0 && i+1 < len(runes) && word(runes[i-1]) && word(runes[i+1]):
			b.WriteRune(r)
		case r < utf8.RuneSelf && (word(r) || strings.ContainsRune(literal, r)):
			b.WriteRune(r)
		case r == utf8.RuneError || !unicode.IsPrint(r):
			b.WriteString("\uFFFD")
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func word(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// clip keeps the beginning and the end of a long text.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	r := []rune(s)
	return string(r[:most*2/3]) + " … " + string(r[len(r)-most/3:])
}

// differing cuts what is the same at both ends of two long texts.
func differing(a, b string) (string, string) {
	ra, rb := []rune(a), []rune(b)
	if len(ra) <= most && len(rb) <= most {
		return a, b
	}
	const context = 30
	start := 0
	for start < len(ra) && start < len(rb) && ra[start] == rb[start] {
		start++
	}
	end := 0
	for end < len(ra)-start && end < len(rb)-start && ra[len(ra)-1-end] == rb[len(rb)-1-end] {
		end++
	}
	start, end = max(start-context, 0), max(end-context, 0)
	cut := func(r []rune) string {
		text := string(r[start : len(r)-end])
		if start > 0 {
			text = "… " + text
		}
		if end > 0 {
			text += " …"
		}
		return text
	}
	return cut(ra), cut(rb)
}
