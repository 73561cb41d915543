<?php
function code(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), "+/", "-_"), "=");
}

function signed(string $path, int $seconds, string $secret): string
{
    $query = "expires=" . (time() + $seconds);
    return "$path?$query&signature=" . code(hash_hmac("sha256", "GET\n$path\n$query", $secret, true));
}

function policy(string $terms, string $secret): string
{
    $text = code($terms);
    return "$text." . code(hash_hmac("sha256", "POST\n/images/\npolicy=$text", $secret, true));
}

[, $what, $secret] = $argv;
echo $what[0] === "{" ? policy($what, $secret) : signed($what, 3600, $secret), "\n";
