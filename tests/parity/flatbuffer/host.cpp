/* A FlatBuffer is built in the slot that it is sent from; the answer, another one, is read where it
   lies. */
#include <shmipc/flatbuffers.hpp>

#include "../parity.hpp"

#include <vector>
#include <wire_generated.h>

static void ask(shmipc::host &host, std::int64_t count) {
    std::vector<std::int64_t> numbers;
    for (std::int64_t i = 1; i <= count; i++)
        numbers.push_back(i);

    // snippet: flatbuffer
    auto slot = host.claim().value();
    shmipc::request_builder builder(slot);
    // end
    builder.Finish(wire::CreateQuestionDirect(builder, "numbers", &numbers));
    parity::require(!builder.spilled(), "the message is not built in the slot");
    // snippet: flatbuffer
    auto answer = builder.call().value();
    auto *reply = shmipc::verified<wire::Reply>(answer.data);
    // end
    parity::require(answer.type == shmipc::type_flatbuffer, "the answer has another type");
    parity::require(reply && reply->text(), "the answer is no Reply with a text");
    std::printf("%s: %lld\n", reply->text()->c_str(), static_cast<long long>(reply->sum()));
}

static void run(const std::string &name) {
    auto host = shmipc::host::create(name).value();
    host.wait_guests(1).value();
    ask(host, 3);
    ask(host, 400);
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
