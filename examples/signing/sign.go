package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"
)

func signature(text, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func signed(path string, seconds int64, secret string) string {
	query := fmt.Sprintf("expires=%d", time.Now().Unix()+seconds)
	return path + "?" + query + "&signature=" + signature("GET\n"+path+"\n"+query, secret)
}

func policy(terms, secret string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(terms))
	return text + "." + signature("POST\n/images/\npolicy="+text, secret)
}

func main() {
	if what, secret := os.Args[1], os.Args[2]; strings.HasPrefix(what, "{") {
		fmt.Println(policy(what, secret))
	} else {
		fmt.Println(signed(what, 3600, secret))
	}
}
