package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"time"
)

func signed(path string, seconds int64, secret string) string {
	query := fmt.Sprintf("expires=%d", time.Now().Unix()+seconds)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "GET\n%s\n%s", path, query)
	return path + "?" + query + "&signature=" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func main() {
	fmt.Println(signed(os.Args[1], 3600, os.Args[2]))
}
