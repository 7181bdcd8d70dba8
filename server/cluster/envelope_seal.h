// The checksum around an encoded envelope on its way between two nodes.
#ifndef SERVER_CLUSTER_ENVELOPE_SEAL_H_
#define SERVER_CLUSTER_ENVELOPE_SEAL_H_

#include <optional>
#include <string>
#include <string_view>

namespace quorate {

// TCP's checksum is 16 bits of sums and ends at each device that takes a packet apart; this one
// reaches from the sender's encoder to the receiver's decoder.
inline constexpr size_t kEnvelopeSealBytes = 8;

// Appends XXH3-64 of the bytes so far.
void SealEnvelope(std::string* bytes);
// What was sealed; nullopt when it is not as it was sent.
[[nodiscard]] std::optional<std::string_view> OpenSealedEnvelope(std::string_view bytes);

}  // namespace quorate

#endif  // SERVER_CLUSTER_ENVELOPE_SEAL_H_
