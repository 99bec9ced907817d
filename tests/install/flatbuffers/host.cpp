// host <region>: has a guest add numbers. Both messages are FlatBuffers, built and read in place.
#include "sum_generated.h"

#include <shmipc/flatbuffers.hpp>
#include <shmipc/shmipc.hpp>

#include <iostream>
#include <numeric>
#include <vector>

namespace {

shmipc::result<void> ask(shmipc::host &host) {
    if (auto waited = host.wait_guests(1); !waited)
        return waited;
    auto slot = host.claim();
    if (!slot)
        return slot.error();

    shmipc::request_builder builder(*slot);
    std::vector<int> values(100);
    std::iota(values.begin(), values.end(), 1);
    builder.Finish(orders::CreateNumbersDirect(builder, &values));
    const void *end = builder.GetBufferPointer() + builder.GetSize();
    if (builder.spilled() || end != slot->buffer().end())
        return shmipc::error(shmipc::errc::state, "the message is not in the slot");

    const auto answer = builder.call();
    if (!answer)
        return answer.error();
    const auto *sum = shmipc::verified<orders::Sum>(answer->data);
    if (!sum || answer->type != shmipc::type_flatbuffer)
        return shmipc::error(shmipc::errc::type, "the answer is no Sum");
    std::cout << sum->text()->c_str() << ' ' << sum->value() << '\n';
    return {};
}

} // namespace

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    auto host = shmipc::host::create(arguments[1]);
    auto asked = host ? ask(*host) : host.error();
    if (asked)
        asked = host->shutdown();
    if (!asked)
        std::cerr << "host: " << asked.error().what() << '\n';
    return asked ? 0 : 1;
}
