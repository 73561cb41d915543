require "base64"
require "openssl"

def signature(text, secret)
  Base64.urlsafe_encode64(OpenSSL::HMAC.digest("SHA256", secret, text), padding: false)
end

def signed(path, seconds, secret)
  query = "expires=#{Time.now.to_i + seconds}"
  "#{path}?#{query}&signature=#{signature("GET\n#{path}\n#{query}", secret)}"
end

def policy(terms, secret)
  text = Base64.urlsafe_encode64(terms, padding: false)
  "#{text}.#{signature("POST\n/images/\npolicy=#{text}", secret)}"
end

what, secret = ARGV
puts what.start_with?("{") ? policy(what, secret) : signed(what, 3600, secret)
