require "base64"
require "openssl"

def signed(path, seconds, secret)
  query = "expires=#{Time.now.to_i + seconds}"
  digest = OpenSSL::HMAC.digest("SHA256", secret, "GET\n#{path}\n#{query}")
  "#{path}?#{query}&signature=#{Base64.urlsafe_encode64(digest, padding: false)}"
end

puts signed(ARGV[0], 3600, ARGV[1])
