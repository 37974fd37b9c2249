// Package spelling reads and writes values as profiles spell them: rates, durations,
// percentages. Where a text is none of them its errors show the right spelling, and the
// nearest word that is known.
package spelling

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ParseRate parses a rate in requests per second, such as "1500/s" or "0.5/s".
// The error cites the text and shows the right spelling.
func ParseRate(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "/s")
	if ok && IsDecimal(number) {
		return ParseDecimal(text, number)
	}
	plain := strings.ReplaceAll(strings.ReplaceAll(text, ",", ""), " ", "")
	plain = strings.ReplaceAll(plain, "_", "")
	number, unit := splitNumber(plain)
	switch {
	case number == "":
		return 0, fmt.Errorf("%s is not a rate: write a number of requests per second, such as 1500/s", Cite(text))
	case unit == "":
		return 0, fmt.Errorf("%s needs a unit: write %s/s", Cite(text), number)
	}
	switch unit {
	case "k", "k/s", "K", "K/s":
		return 0, fmt.Errorf("%s is not a rate: write %s/s", Cite(text), timesThousand(number))
	case "/m", "/min", "/minute", "/1m":
		return 0, perOther(text, number, 60)
	case "/h", "/hour", "/1h":
		return 0, perOther(text, number, 3600)
	}
	return 0, fmt.Errorf("%s is not a rate: write %s/s", Cite(text), number)
}

// perOther words the error of a rate per minute or hour.
func perOther(text, number string, seconds float64) error {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		v = seconds
	}
	return fmt.Errorf("%s is not a rate: rates are per second, write %s", Cite(text), FormatRate(math.Round(v/seconds*1e6)/1e6))
}

// FormatRate is the inverse of [ParseRate]: it loses nothing.
func FormatRate(rate float64) string {
	return strconv.FormatFloat(rate, 'f', -1, 64) + "/s"
}

// ParsePercent parses a percentage such as "70%" or "0.1%" into a ratio: 0.7 and
// 0.001. It does not limit it to 100 %.
func ParsePercent(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	if ok && IsDecimal(number) {
		return ParseDecimal(text, number+"e-2") // exact, which a division by 100 is not
	}
	number, unit := splitNumber(strings.ReplaceAll(text, " ", ""))
	switch {
	case number == "":
		return 0, fmt.Errorf("%s is not a percentage: write it as 70%%", Cite(text))
	case unit == "" && !strings.HasPrefix(number, "0."):
		return 0, fmt.Errorf("%s needs a unit: write %s%%", Cite(text), number)
	case unit == "":
		return 0, fmt.Errorf("%s needs a unit: write %s%%, or %s%%", Cite(text), number, shiftPoint(number))
	}
	return 0, fmt.Errorf("%s is not a percentage: write %s%%", Cite(text), number)
}

// FormatPercent is the inverse of [ParsePercent]: it loses nothing.
func FormatPercent(ratio float64) string {
	return shiftPoint(strconv.FormatFloat(ratio, 'f', -1, 64)) + "%"
}

// ParseDuration parses a duration as [time.ParseDuration] does, such as "250ms"
// or "1h30m", and refuses negative ones.
func ParseDuration(text string) (time.Duration, error) {
	plain := strings.ReplaceAll(text, " ", "")
	number, unit := splitNumber(plain)
	if number != "" && unit == "" {
		return 0, fmt.Errorf("%s needs a unit: write %ss", Cite(text), number)
	}
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && d < 0:
		return 0, fmt.Errorf("%s is negative: write %s", Cite(text), FormatDuration(-d))
	case err == nil:
		return d, nil
	}
	if d, err := time.ParseDuration(plain); err == nil && d >= 0 { // "5 s"
		return 0, fmt.Errorf("%s is not a duration: write %s", Cite(text), FormatDuration(d))
	}
	spelled := map[string]string{
		"sec": "s", "secs": "s", "second": "s", "seconds": "s", "S": "s",
		"min": "m", "mins": "m", "minute": "m", "minutes": "m", "M": "m",
		"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "H": "h",
		"msec": "ms", "millis": "ms", "millisecond": "ms", "milliseconds": "ms", "MS": "ms",
	}
	if right, ok := spelled[unit]; ok {
		return 0, fmt.Errorf("%s is not a duration: write %s%s", Cite(text), number, right)
	}
	if days, err := strconv.Atoi(number); err == nil && days < 1000 && (unit == "d" || unit == "day" || unit == "days") {
		return 0, fmt.Errorf("%s is not a duration: write %dh", Cite(text), 24*days)
	}
	return 0, fmt.Errorf("%s is not a duration: write a number with a unit, such as 250ms, 5s, 2m or 1h30m", Cite(text))
}

// FormatDuration writes a duration without units that are zero: "2m", not
// "2m0s". [ParseDuration] is its inverse.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsDecimal reports whether the text is digits with at most one point between
// them: no sign, exponent, infinity or hexadecimal, which [strconv.ParseFloat]
// takes.
func IsDecimal(text string) bool {
	whole, fraction, point := strings.Cut(text, ".")
	return IsDigits(whole) && (!point || IsDigits(fraction))
}

// IsDigits reports whether the text is digits alone, at least one.
func IsDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

// ParseDecimal parses a number of a text, which errors cite.
func ParseDecimal(text, number string) (float64, error) {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is too large: write a smaller number", Cite(text))
	}
	return v, nil
}

// splitNumber splits a decimal number from what follows it.
func splitNumber(text string) (number, rest string) {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	if !IsDecimal(text[:end]) {
		return "", text
	}
	return text[:end], text[end:]
}

// shiftPoint moves the point of a plain decimal number two places to the right.
func shiftPoint(number string) string {
	if positive, ok := strings.CutPrefix(number, "-"); ok {
		return "-" + shiftPoint(positive)
	}
	whole, fraction, _ := strings.Cut(number, ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	whole = strings.TrimLeft(whole+fraction[:2], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction = strings.TrimRight(fraction[2:], "0"); fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

func timesThousand(number string) string {
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(v*1000, 'f', -1, 64)
}

// Thousands puts a comma before every three digits of a whole number: "-12,300".
func Thousands(number string) string {
	for i := len(number) - 3; i > 0 && number[i-1] != '-'; i -= 3 {
		number = number[:i] + "," + number[i:]
	}
	return number
}

// Cite shows a piece of the user's text in a message: as it is when it is one
// plain word, else quoted.
func Cite(text string) string {
	odd := func(r rune) bool { return unicode.IsSpace(r) || r == unicode.ReplacementChar }
	if text == "" || len(text) > longestCited || strings.ContainsFunc(text, odd) || Quote(text) != `"`+text+`"` {
		return Quote(text)
	}
	return text
}

// longestCited is how many characters of the user's text a message repeats.
const longestCited = 60

// Quote shows a piece of the user's text in quotes, cut short.
func Quote(text string) string {
	if r := []rune(text); len(r) > longestCited {
		text = string(r[:longestCited]) + "..."
	}
	return strconv.Quote(text)
}
